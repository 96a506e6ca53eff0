# Statistics, tables, figures and the report page. These rules read small files and need no GPU.

SAMPLES = [RESULTS.samples(*cell) for cell in CELLS] if IS_TRAINED else []
REPORTED = [*SCORES, *SAMPLES, *MODELS, *PREPARED, *PROBES, *GRADIENTS, *CURVES]
REPORT_CODE = source_digest("stats", "report", "records", "layout")


rule tables:
    input:
        REPORTED,
    output:
        TABLES,
    log:
        RESULTS.log("tables"),
    conda:
        "../../envs/score.yaml"
    params:
        file=SETTINGS.experiment,
        settings=settings_of("tables"),
        code=REPORT_CODE,
        root=lambda wildcards: str(RESULTS.root),
    shell:
        "python -m weft report tables --experiment {params.file:q} --out {params.root}/tables {params.root} "
        "> {log} 2>&1 && cat {params.root}/tables/headline.md"


rule figures:
    input:
        REPORTED,
    output:
        FIGURES,
    log:
        RESULTS.log("figures"),
    conda:
        "../../envs/score.yaml"
    params:
        file=SETTINGS.experiment,
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
    output:
        RESULTS.page,
    log:
        RESULTS.log("page"),
    conda:
        "../../envs/score.yaml"
    params:
        file=SETTINGS.experiment,
        settings=settings_of("page"),
        code=REPORT_CODE,
        root=lambda wildcards: str(RESULTS.root),
    shell:
        "python -m weft report page --experiment {params.file:q} --figures {params.root}/figures --out {output} "
        "{params.root} > {log} 2>&1"
