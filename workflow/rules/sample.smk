# Answers to one benchmark at one length by one model.


rule sample:
    input:
        questions="results/{experiment}/data/questions/{benchmark}.jsonl",
        base="results/{experiment}/base",
        adapter=lambda wildcards: (
            []
            if wildcards.run == BASE_RUN
            else f"results/{wildcards.experiment}/runs/{wildcards.run}"
        ),
    output:
        "results/{experiment}/samples/{run}/{benchmark}/{gen_length}.jsonl",
    log:
        "results/{experiment}/logs/sample/{run}.{benchmark}.{gen_length}.log",
    benchmark:
        "results/{experiment}/timings/sample/{run}.{benchmark}.{gen_length}.jsonl"
    conda:
        "../../envs/weft.yaml"
    threads: SETTINGS.threads_per_process
    resources:
        gpu=SETTINGS.gpus(1),
        mem_mb=4000,
        runtime="12h",
    params:
        file=SETTINGS.experiment,
        settings=settings_of("sample"),
        device=SETTINGS.device,
        adapter=lambda wildcards, input: (
            f"--adapter {input.adapter}" if input.adapter else ""
        ),
    shell:
        "python -m weft sample --experiment {params.file:q} --run {wildcards.run} --base {input.base} "
        "{params.adapter} --questions {input.questions} --gen-length {wildcards.gen_length} "
        "--threads {threads} --device {params.device} --out {output} > {log} 2>&1"
