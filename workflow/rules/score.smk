# A verdict for every answer: our own answers, or generations that somebody published.


rule score:
    input:
        generation_files,
    output:
        "results/{experiment}/scores/{rules}/{run}/{benchmark}/{gen_length}.jsonl",
    log:
        "results/{experiment}/logs/score/{rules}.{run}.{benchmark}.{gen_length}.log",
    conda:
        "../../envs/score.yaml"
    params:
        settings=settings_of("score"),
        code=source_digest("benchmarks"),
    shell:
        "python -m weft score --benchmark {wildcards.benchmark} --rules {wildcards.rules} --out {output} "
        "{input:q} > {log} 2>&1"
