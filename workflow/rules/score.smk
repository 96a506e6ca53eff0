# Score the answers of the experiment's runs, or published generations: all answers of a run in one process.


rule score:
    input:
        generations=generations_of_run,
        custom=custom_benchmarks(),
    output:
        cells_of_run(RESULTS.scores("{scoring}", *CELL)),
    log:
        RESULTS.log("score", "{scoring}.{run}"),
    conda:
        "../../envs/score.yaml"
    params:
        file=experiment_file,
        settings=settings_of("score"),
        code=source_digest(*CODE_OF_RESULTS["scores"]),
        offline=offline_options,
        root=lambda wildcards: str(RESULTS.root),
    shell:
        "python -m weft score-run --experiment {params.file:q} --run {wildcards.run} "
        "--rules {wildcards.scoring} {params.offline} {params.root} > {log} 2>&1"
