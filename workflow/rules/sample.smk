# Sample the answers of a run to a benchmark at a given length. If sample_shards is above 1, several jobs
# share the questions, and their answers are merged.


rule sample:
    input:
        questions=RESULTS.questions("{benchmark}"),
        base=RESULTS.base,
        adapter=adapter_of,
    output:
        records=RESULTS.samples(*CELL),
    log:
        RESULTS.log("sample", CELL_NAME),
    benchmark:
        RESULTS.benchmark("sample", CELL_NAME)
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

    SHARD = RESULTS.shard(*CELL, "{shard}", "{shards}")

    ruleorder: merge > sample

    use rule sample as sample_shard with:
        output:
            records=temp(SHARD),
            provenance=temp(provenance_file(SHARD)),
        log:
            RESULTS.log("sample", SHARD_NAME),
        benchmark:
            RESULTS.benchmark("sample", SHARD_NAME)
        params:
            shard=lambda wildcards: f"{wildcards.shard}/{wildcards.shards}",

    rule merge:
        input:
            questions=RESULTS.questions("{benchmark}"),
            shards=shards_of(SHARD),
            provenance=shards_of(provenance_file(SHARD)),
        output:
            RESULTS.samples(*CELL),
        log:
            RESULTS.log("merge", CELL_NAME),
        conda:
            "../../envs/weft.yaml"
        params:
            settings=settings_of("sample"),
        shell:
            "python -m weft merge --questions {input.questions} --out {output} {input.shards} > {log} 2>&1"
