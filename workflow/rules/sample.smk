# Answers to one benchmark at one length by one model.


rule sample:
    input:
        questions=ROOT + "/data/questions/{benchmark}.jsonl",
        base=ROOT + "/base",
        adapter=lambda wildcards: [] if wildcards.run == BASE_RUN else f"{ROOT}/runs/{wildcards.run}",
    output:
        ROOT + "/samples/{run}/{benchmark}/{gen_length}.jsonl",
    log:
        ROOT + "/logs/sample/{run}.{benchmark}.{gen_length}.log",
    benchmark:
        ROOT + "/timings/sample/{run}.{benchmark}.{gen_length}.jsonl"
    params:
        file=SETTINGS.experiment,
        settings=settings_of("sample"),
        device=SETTINGS.device,
        adapter=lambda wildcards, input: f"--adapter {input.adapter}" if input.adapter else "",
    threads: SETTINGS.threads_per_process
    resources:
        gpu=0 if SETTINGS.device == "cpu" else 1,
        mem_mb=4000,
        runtime="12h",
    conda:
        "../../envs/weft.yaml"
    shell:
        "python -m weft sample --experiment {params.file} --run {wildcards.run} --base {input.base} "
        "{params.adapter} --questions {input.questions} --gen-length {wildcards.gen_length} "
        "--threads {threads} --device {params.device} --out {output} > {log} 2>&1"
