# Fine-tuning through DeepSpeed's launcher, and the probe pass over the training set.


rule train:
    input:
        base=ROOT + "/base",
        prepared=lambda wildcards: f"{ROOT}/data/prepared/{RUNS[wildcards.run].dataset}",
    output:
        directory(ROOT + "/runs/{run}"),
    log:
        ROOT + "/logs/train/{run}.log",
    benchmark:
        ROOT + "/timings/train/{run}.jsonl"
    params:
        file=SETTINGS.experiment,
        settings=settings_of("train"),
        device=SETTINGS.device,
        cpu_threads=SETTINGS.threads_per_process,
    threads: SETTINGS.train_processes * SETTINGS.threads_per_process
    resources:
        gpu=0 if SETTINGS.device == "cpu" else SETTINGS.train_processes,
        processes=SETTINGS.train_processes,
        mem_mb=4000,
        runtime="12h",
    conda:
        "../../envs/weft.yaml"
    shell:
        "python -m weft train --experiment {params.file} --run {wildcards.run} --base {input.base} "
        "--prepared {input.prepared} --processes {resources.processes} --threads {params.cpu_threads} "
        "--device {params.device} --out {output} > {log} 2>&1"


rule probe:
    input:
        base=ROOT + "/base",
        prepared=ROOT + "/data/prepared/{dataset}",
    output:
        ROOT + "/probe/{dataset}.parquet",
    log:
        ROOT + "/logs/probe/{dataset}.log",
    params:
        file=SETTINGS.experiment,
        settings=settings_of("probe"),
        device=SETTINGS.device,
    threads: SETTINGS.threads_per_process
    resources:
        gpu=0 if SETTINGS.device == "cpu" else 1,
        mem_mb=4000,
        runtime="2h",
    conda:
        "../../envs/weft.yaml"
    shell:
        "python -m weft probe --experiment {params.file} --base {input.base} --prepared {input.prepared} "
        "--threads {threads} --device {params.device} --out {output} > {log} 2>&1"
