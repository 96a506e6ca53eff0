# Answers to one benchmark at one length by one model; with sample_shards above 1 made by several jobs.


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
        records="results/{experiment}/samples/{run}/{benchmark}/{gen_length}.jsonl",
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
        shard="1/1",
    shell:
        "python -m weft sample --experiment {params.file:q} --run {wildcards.run} --base {input.base} "
        "{params.adapter} --questions {input.questions} --gen-length {wildcards.gen_length} "
        "--shard {params.shard} --threads {threads} --device {params.device} --out {output.records} "
        "> {log} 2>&1"


if SETTINGS.sample_shards > 1:

    ruleorder: merge > sample

    use rule sample as sample_shard with:
        output:
            records=temp(f"{SHARD}.jsonl"),
            provenance=temp(f"{SHARD}.jsonl.provenance.json"),
        log:
            "results/{experiment}/logs/sample/{run}.{benchmark}.{gen_length}.{shard}of{shards}.log",
        benchmark:
            "results/{experiment}/timings/sample/{run}.{benchmark}.{gen_length}.{shard}of{shards}.jsonl"
        params:
            shard=lambda wildcards: f"{wildcards.shard}/{wildcards.shards}",

    rule merge:
        input:
            questions="results/{experiment}/data/questions/{benchmark}.jsonl",
            shards=of_shards(f"{SHARD}.jsonl"),
            provenance=of_shards(f"{SHARD}.jsonl.provenance.json"),
        output:
            "results/{experiment}/samples/{run}/{benchmark}/{gen_length}.jsonl",
        log:
            "results/{experiment}/logs/merge/{run}.{benchmark}.{gen_length}.log",
        conda:
            "../../envs/weft.yaml"
        params:
            settings=settings_of("sample"),
        shell:
            "python -m weft merge --questions {input.questions} --out {output} {input.shards} > {log} 2>&1"
