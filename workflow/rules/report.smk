# Statistics, tables, figures and the report page: from small files, on any machine.


rule tables:
    input:
        scores=experiment_files("scores"),
        models=experiment_files("models") if has_ablations(EXPERIMENT) else [],
        probe=of_datasets("probe/{dataset}.parquet"),
        gradients=of_datasets(gradient_file("{dataset}"), has_gradients(EXPERIMENT)),
    output:
        [f"results/{{experiment}}/tables/{file}" for file in table_files(EXPERIMENT)],
    log:
        "results/{experiment}/logs/tables.log",
    conda:
        "../../envs/score.yaml"
    params:
        file=SETTINGS.experiment,
        settings=settings_of("tables"),
        code=source_digest("stats", "report"),
        root=lambda wildcards: f"results/{wildcards.experiment}",
    shell:
        "python -m weft report tables --experiment {params.file:q} --out {params.root}/tables {params.root} "
        "> {log} 2>&1 && cat {params.root}/tables/headline.md"


rule figures:
    input:
        tables=rules.tables.output,
        models=experiment_files("models") if FINE_TUNING else [],
        probe=of_datasets("probe/{dataset}.parquet"),
        gradients=of_datasets(gradient_file("{dataset}"), has_gradients(EXPERIMENT)),
    output:
        [f"results/{{experiment}}/figures/{file}" for file in figure_files(EXPERIMENT)],
    log:
        "results/{experiment}/logs/figures.log",
    conda:
        "../../envs/score.yaml"
    params:
        file=SETTINGS.experiment,
        settings=settings_of("figures"),
        code=source_digest("report"),
        root=lambda wildcards: f"results/{wildcards.experiment}",
    shell:
        "python -m weft report figures --experiment {params.file:q} --tables {params.root}/tables "
        "--out {params.root}/figures {params.root} > {log} 2>&1"


rule page:
    input:
        tables=rules.tables.output,
        figures=rules.figures.output,
        prepared=of_datasets("data/prepared/{dataset}"),
        traces=experiment_files("traces"),
    output:
        "results/{experiment}/report/index.html",
    log:
        "results/{experiment}/logs/page.log",
    conda:
        "../../envs/score.yaml"
    params:
        file=SETTINGS.experiment,
        settings=settings_of("page"),
        code=source_digest("report"),
        root=lambda wildcards: f"results/{wildcards.experiment}",
    shell:
        "python -m weft report page --experiment {params.file:q} --tables {params.root}/tables "
        "--figures {params.root}/figures --out {output} {params.root} > {log} 2>&1"
