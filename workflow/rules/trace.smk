# Pages that show step by step how a model answers the first question of each benchmark. The shortest
# length is used, because it costs least and keeps the page small.


rule trace:
    input:
        questions=QUESTIONS,
        base=base_of,
        adapter=adapter_of,
    output:
        report(
            RESULTS.trace("{run}"),
            category="Traces",
            caption="../report/trace.rst",
            labels={"run": "{run}"},
        ),
    log:
        RESULTS.log("trace", "{run}"),
    conda:
        "../../envs/weft.yaml"
    threads: SETTINGS.threads_per_process
    resources:
        gpu=gpus(1),
        mem_mb=memory_of("trace"),
        runtime=minutes_of("trace"),
    params:
        file=experiment_file,
        settings=settings_of("trace"),
        device=device,
        gen_length=min(EXPERIMENT.gen_lengths),
        adapter=lambda wildcards, input: (
            f"--adapter {input.adapter}" if input.adapter else ""
        ),
        questions=lambda wildcards, input: options("--questions", input.questions),
    shell:
        "python -m weft trace --experiment {params.file:q} --run {wildcards.run} --base {input.base} "
        "{params.adapter} {params.questions} --gen-length {params.gen_length} --threads {threads} "
        "--device {params.device} --out {output} > {log} 2>&1"
