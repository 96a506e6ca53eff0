# Fine-tuning on several processes, and the probe pass over the training set.


rule train:
    input:
        base=RESULTS.base,
        prepared=prepared_of,
        checked=lambda wildcards: check_of(wildcards, RESULTS.first_check),
    output:
        directory(RESULTS.run("{run}")),
    log:
        RESULTS.log("train", "{run}"),
    benchmark:
        RESULTS.benchmark("train", "{run}")
    conda:
        "../../envs/weft.yaml"
    threads: SETTINGS.train_processes * SETTINGS.threads_per_process
    resources:
        gpu=gpus(SETTINGS.train_processes),
        processes=SETTINGS.train_processes,
        report_to=SETTINGS.report_to,
        mem_mb=memory_of("train"),
        runtime=minutes_of("train"),
    params:
        file=experiment_file,
        settings=settings_of("train"),
        device=device,
        cpu_threads=untracked(SETTINGS.threads_per_process),
        launch=launch_of,
        nodes=nodes_of,
        ranks=ranks_of,
    shell:
        "{params.launch} python -m weft train --experiment {params.file:q} --run {wildcards.run} --base {input.base} "
        "--prepared {input.prepared} --processes {params.ranks} {params.nodes} --threads {params.cpu_threads} "
        "--device {params.device} --report-to {resources.report_to} --out {output} > {log} 2>&1"


rule export:
    input:
        base=RESULTS.base,
        finetuned=RESULTS.run("{run}"),
    output:
        directory(RESULTS.export("{run}")),
    log:
        RESULTS.log("export", "{run}"),
    conda:
        "../../envs/weft.yaml"
    resources:
        mem_mb=JOB_RESOURCES.weights_mb(),
        runtime="1h",
    shell:
        "python -m weft export --base {input.base} --finetuned {input.finetuned} --out {output} > {log} 2>&1"


rule probe:
    input:
        base=RESULTS.base,
        prepared=RESULTS.prepared("{dataset}"),
    output:
        RESULTS.probe("{dataset}"),
    log:
        RESULTS.log("probe", "{dataset}"),
    conda:
        "../../envs/weft.yaml"
    threads: SETTINGS.threads_per_process
    resources:
        gpu=gpus(1),
        mem_mb=memory_of("probe"),
        runtime=minutes_of("probe"),
    params:
        file=experiment_file,
        settings=settings_of("probe"),
        device=device,
    shell:
        "python -m weft probe --experiment {params.file:q} --base {input.base} --prepared {input.prepared} "
        "--threads {threads} --device {params.device} --out {output} > {log} 2>&1"


rule gradients:
    input:
        base=RESULTS.base,
        prepared=RESULTS.prepared("{dataset}"),
    output:
        RESULTS.gradients("{dataset}"),
    log:
        RESULTS.log("gradients", "{dataset}"),
    conda:
        "../../envs/weft.yaml"
    threads: SETTINGS.threads_per_process
    resources:
        gpu=gpus(1),
        mem_mb=memory_of("gradients"),
        runtime=minutes_of("gradients"),
    params:
        file=experiment_file,
        settings=settings_of("gradients"),
        device=device,
    shell:
        "python -m weft gradients --experiment {params.file:q} --base {input.base} --prepared {input.prepared} "
        "--threads {threads} --device {params.device} --out {output} > {log} 2>&1"
