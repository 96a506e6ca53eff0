# Statistics, tables, figures and the report page: from small files, on any machine.


rule tables:
    input:
        scores=SCORES,
        models=MODELS if has_ablations(EXPERIMENT) else [],
        probe=PROBES,
        gradients=GRADIENTS,
    output:
        TABLES,
    log:
        RESULTS.log("tables"),
    conda:
        "../../envs/score.yaml"
    params:
        file=SETTINGS.experiment,
        settings=settings_of("tables"),
        code=source_digest("stats", "report"),
        root=lambda wildcards: str(RESULTS.root),
    shell:
        "python -m weft report tables --experiment {params.file:q} --out {params.root}/tables {params.root} "
        "> {log} 2>&1 && cat {params.root}/tables/headline.md"


rule figures:
    input:
        tables=rules.tables.output,
        models=MODELS,
        probe=PROBES,
        gradients=GRADIENTS,
    output:
        FIGURES,
    log:
        RESULTS.log("figures"),
    conda:
        "../../envs/score.yaml"
    params:
        file=SETTINGS.experiment,
        settings=settings_of("figures"),
        code=source_digest("report"),
        root=lambda wildcards: str(RESULTS.root),
    shell:
        "python -m weft report figures --experiment {params.file:q} --tables {params.root}/tables "
        "--out {params.root}/figures {params.root} > {log} 2>&1"


rule page:
    input:
        tables=rules.tables.output,
        figures=rules.figures.output,
        prepared=PREPARED,
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
        code=source_digest("report"),
        root=lambda wildcards: str(RESULTS.root),
    shell:
        "python -m weft report page --experiment {params.file:q} --tables {params.root}/tables "
        "--figures {params.root}/figures --out {output} {params.root} > {log} 2>&1"
