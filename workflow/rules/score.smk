# A verdict for every answer: our own answers, or generations that somebody published.


def generation_files(wildcards):
    """List the files to score."""
    if FINE_TUNING:
        return [f"{ROOT}/samples/{wildcards.run}/{wildcards.benchmark}/{wildcards.gen_length}.jsonl"]
    try:
        return find_generations(EXPERIMENT.generations, wildcards.benchmark, int(wildcards.gen_length), SETTINGS.offline)
    except WeftError as error:
        raise WorkflowError(str(error)) from None


rule score:
    input:
        generation_files,
    output:
        ROOT + "/scores/{run}/{benchmark}/{gen_length}.jsonl",
    log:
        ROOT + "/logs/score/{run}.{benchmark}.{gen_length}.log",
    params:
        settings=settings_of("score"),
        rules=EXPERIMENT.rules,
        code=source_digest("benchmarks"),
    conda:
        "../../envs/score.yaml"
    shell:
        "python -m weft score --benchmark {wildcards.benchmark} --rules {params.rules} --out {output} "
        "{input:q} > {log} 2>&1"
