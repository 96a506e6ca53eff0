# Fine-tuning through DeepSpeed's launcher, and the probe pass over the training set.


rule train:
    input:
        base="results/{experiment}/base",
        prepared=lambda wildcards: f"results/{wildcards.experiment}/data/prepared/{RUNS[wildcards.run].dataset}",
    output:
        directory("results/{experiment}/runs/{run}"),
    log:
        "results/{experiment}/logs/train/{run}.log",
    benchmark:
        "results/{experiment}/timings/train/{run}.jsonl"
    conda:
        "../../envs/weft.yaml"
    threads: SETTINGS.train_processes * SETTINGS.threads_per_process
    resources:
        gpu=SETTINGS.gpus(SETTINGS.train_processes),
        processes=SETTINGS.train_processes,
        mem_mb=4000,
        runtime="12h",
    params:
        file=SETTINGS.experiment,
        settings=settings_of("train"),
        device=SETTINGS.device,
        cpu_threads=SETTINGS.threads_per_process,
    shell:
        "python -m weft train --experiment {params.file:q} --run {wildcards.run} --base {input.base} "
        "--prepared {input.prepared} --processes {resources.processes} --threads {params.cpu_threads} "
        "--device {params.device} --out {output} > {log} 2>&1"


rule export:
    input:
        base="results/{experiment}/base",
        tuned="results/{experiment}/runs/{run}",
    output:
        directory("results/{experiment}/exports/{run}"),
    log:
        "results/{experiment}/logs/export/{run}.log",
    conda:
        "../../envs/weft.yaml"
    resources:
        mem_mb=40000 if SETTINGS.device == "cuda" else 4000,
        runtime="1h",
    shell:
        "python -m weft export --base {input.base} --tuned {input.tuned} --out {output} > {log} 2>&1"


rule probe:
    input:
        base="results/{experiment}/base",
        prepared="results/{experiment}/data/prepared/{dataset}",
    output:
        "results/{experiment}/probe/{dataset}.parquet",
    log:
        "results/{experiment}/logs/probe/{dataset}.log",
    conda:
        "../../envs/weft.yaml"
    threads: SETTINGS.threads_per_process
    resources:
        gpu=SETTINGS.gpus(1),
        mem_mb=4000,
        runtime="2h",
    params:
        file=SETTINGS.experiment,
        settings=settings_of("probe"),
        device=SETTINGS.device,
    shell:
        "python -m weft probe --experiment {params.file:q} --base {input.base} --prepared {input.prepared} "
        "--threads {threads} --device {params.device} --out {output} > {log} 2>&1"


rule gradients:
    input:
        base="results/{experiment}/base",
        prepared="results/{experiment}/data/prepared/{dataset}",
    output:
        "results/{experiment}/gradients/{dataset}.parquet",
    log:
        "results/{experiment}/logs/gradients/{dataset}.log",
    conda:
        "../../envs/weft.yaml"
    threads: SETTINGS.threads_per_process
    resources:
        gpu=SETTINGS.gpus(1),
        mem_mb=8000,
        runtime="2h",
    params:
        file=SETTINGS.experiment,
        settings=settings_of("gradients"),
        device=SETTINGS.device,
    shell:
        "python -m weft gradients --experiment {params.file:q} --base {input.base} --prepared {input.prepared} "
        "--threads {threads} --device {params.device} --out {output} > {log} 2>&1"
