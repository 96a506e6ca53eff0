# Statistics, tables, figures and the report page. These rules read small files and need no GPU.

REPORTED = [*SCORES, *MODELS, *PREPARED, *CHECKS, *PROBES, *GRADIENTS, *CURVES]
REPORT_CODE = source_digest(*CODE_OF_RESULTS["tables"])


rule tables:
    input:
        REPORTED,
    output:
        marked(TABLES, ".csv", "Table"),
    log:
        RESULTS.log("tables"),
    conda:
        "../../envs/score.yaml"
    params:
        file=experiment_file,
        settings=settings_of("tables"),
        code=REPORT_CODE,
        root=lambda wildcards: str(RESULTS.root),
        main=RESULTS.table(main_table(EXPERIMENT), "md"),
    shell:
        "python -m weft report tables --experiment {params.file:q} --out {params.root}/tables {params.root} "
        "> {log} 2>&1 && cat {params.main}"


rule figures:
    input:
        REPORTED,
    output:
        marked(FIGURES, ".png", "Figure"),
    log:
        RESULTS.log("figures"),
    conda:
        "../../envs/score.yaml"
    params:
        file=experiment_file,
        settings=settings_of("figures"),
        code=REPORT_CODE,
        root=lambda wildcards: str(RESULTS.root),
    shell:
        "python -m weft report figures --experiment {params.file:q} --out {params.root}/figures {params.root} "
        "> {log} 2>&1"


rule page:
    input:
        REPORTED,
        tables=rules.tables.output,
        figures=rules.figures.output,
        traces=TRACES,
        answers=answers_of_experiment,
    output:
        page=report(
            RESULTS.page,
            category="Result",
            caption="../report/page.rst",
            labels={"page": "all results"},
        ),
        answers=RESULTS.all_answers if SCORES else [],
    log:
        RESULTS.log("page"),
    conda:
        "../../envs/score.yaml"
    params:
        file=experiment_file,
        settings=settings_of("page"),
        deviations=(
            file_sha256(DEVIATIONS_FILE) if DEVIATIONS_FILE.exists() else "not at hand"
        ),
        code=REPORT_CODE,
        offline=offline_options,
        root=lambda wildcards: str(RESULTS.root),
    shell:
        "python -m weft report page --experiment {params.file:q} --figures {params.root}/figures "
        "--out {output.page} {params.offline} {params.root} > {log} 2>&1"


# The page is made whatever the outcome, and shows it; this job fails if something does not verify.
rule verify:
    input:
        page=rules.page.output.page,
    output:
        touch(RESULTS.verified),
    log:
        RESULTS.log("verify"),
    conda:
        "../../envs/score.yaml"
    params:
        root=lambda wildcards: str(RESULTS.root),
    shell:
        "python -m weft verify {params.root} > {log} 2>&1"
