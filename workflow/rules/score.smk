# Score the answers of the experiment's runs, or published generations.


rule score:
    input:
        generations=generation_files,
        custom=custom_benchmark,
    output:
        RESULTS.scores("{scoring}", *CELL),
    log:
        RESULTS.log("score", f"{{scoring}}.{CELL_NAME}"),
    conda:
        "../../envs/score.yaml"
    params:
        file=SETTINGS.experiment,
        settings=settings_of("score"),
        code=source_digest("benchmarks"),
        custom=lambda wildcards, input: (
            f"--custom {shlex.quote(input.custom)}" if input.custom else ""
        ),
    shell:
        "python -m weft score --experiment {params.file:q} --benchmark {wildcards.benchmark} "
        "--rules {wildcards.scoring} --out {output} {params.custom} {input.generations:q} > {log} 2>&1"
