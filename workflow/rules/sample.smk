# Sample the answers of a run to all benchmarks at all lengths in one process. A hidden file beside each
# output keeps its answers, so that a change of one benchmark samples no other benchmark again. If
# sample_shards is above 1, several jobs share the questions of a run, and their answers are merged.


rule sample:
    input:
        questions=QUESTIONS,
        base=base_of,
        adapter=adapter_of,
        checked=lambda wildcards: check_of(wildcards, RESULTS.check),
    output:
        records=cells_of_run(RESULTS.samples(*CELL)),
    log:
        RESULTS.log("sample", "{run}"),
    benchmark:
        RESULTS.benchmark("sample", "{run}")
    conda:
        "../../envs/weft.yaml"
    threads: SETTINGS.threads_per_process
    resources:
        gpu=gpus(1),
        mem_mb=memory_of("sample"),
        runtime=minutes_of("sample"),
    params:
        file=experiment_file,
        settings=settings_of("sample"),
        device=device,
        adapter=lambda wildcards, input: (
            f"--adapter {input.adapter}" if input.adapter else ""
        ),
        questions=lambda wildcards, input: options("--questions", input.questions),
        gen_lengths=options("--gen-length", EXPERIMENT.gen_lengths),
        out=lambda wildcards: RESULTS.samples(wildcards.run, *CELL[1:]),
        shard="1/1",
    shell:
        "python -m weft sample --experiment {params.file:q} --run {wildcards.run} --base {input.base} "
        "{params.adapter} {params.questions} {params.gen_lengths} --shard {params.shard} "
        "--threads {threads} --device {params.device} --out {params.out:q} > {log} 2>&1"


rule curve:
    input:
        questions=VALIDATION,
        base=RESULTS.base,
        trained=adapter_of,
    output:
        RESULTS.curve("{run}"),
    log:
        RESULTS.log("curve", "{run}"),
    benchmark:
        RESULTS.benchmark("curve", "{run}")
    conda:
        "../../envs/weft.yaml"
    threads: SETTINGS.threads_per_process
    resources:
        gpu=gpus(1),
        mem_mb=memory_of("curve"),
        runtime=minutes_of("curve"),
    params:
        file=experiment_file,
        settings=settings_of("curve"),
        gen_lengths=json.dumps(EXPERIMENT.gen_lengths),
        code=source_digest(*CODE_OF_RESULTS["curves"]),
        device=device,
        questions=lambda wildcards, input: options("--questions", input.questions),
        trained=lambda wildcards, input: (
            f"--trained {input.trained}" if input.trained else ""
        ),
    shell:
        "python -m weft curve --experiment {params.file:q} --run {wildcards.run} --base {input.base} "
        "{params.trained} {params.questions} --threads {threads} --device {params.device} "
        "--out {output} > {log} 2>&1"


if SETTINGS.sample_shards > 1:

    SHARD = RESULTS.shard(*CELL, "{shard}", "{shards}")

    ruleorder: merge > sample

    use rule sample as sample_shard with:
        output:
            records=temp(cells_of_run(SHARD)),
            provenance=temp(cells_of_run(provenance_file(SHARD))),
        log:
            RESULTS.log("sample", "{run}.{shard}of{shards}"),
        benchmark:
            RESULTS.benchmark("sample", "{run}.{shard}of{shards}")
        params:
            out=lambda wildcards: RESULTS.shard(
                wildcards.run, *CELL[1:], "{shard}", "{shards}"
            ),
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
