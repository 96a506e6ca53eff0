# Questions, training examples and the base model: made here, shipped, or fetched with a pinned hash.


rule questions:
    output:
        ROOT + "/data/questions/{benchmark}.jsonl",
    log:
        ROOT + "/logs/questions/{benchmark}.log",
    params:
        file=SETTINGS.experiment,
        settings=settings_of("questions"),
    conda:
        "../../envs/weft.yaml"
    shell:
        "python -m weft data benchmark --experiment {params.file} --out {output} "
        + OFFLINE
        + " {wildcards.benchmark} > {log} 2>&1"


rule examples:
    output:
        ROOT + "/data/examples/{dataset}.jsonl",
    log:
        ROOT + "/logs/examples/{dataset}.log",
    params:
        file=SETTINGS.experiment,
        settings=settings_of("examples"),
    conda:
        "../../envs/weft.yaml"
    shell:
        "python -m weft data dataset --experiment {params.file} --out {output} "
        + OFFLINE
        + " {wildcards.dataset} > {log} 2>&1"


rule prepare:
    input:
        examples=ROOT + "/data/examples/{dataset}.jsonl",
        questions=expand(ROOT + "/data/questions/{benchmark}.jsonl", benchmark=EXPERIMENT.benchmarks, allow_missing=True),
        base=ROOT + "/base",
    output:
        directory(ROOT + "/data/prepared/{dataset}"),
    log:
        ROOT + "/logs/prepare/{dataset}.log",
    params:
        file=SETTINGS.experiment,
        settings=settings_of("prepare"),
        questions=lambda wildcards, input: " ".join(f"--questions {file}" for file in input.questions),
    conda:
        "../../envs/weft.yaml"
    shell:
        "python -m weft data prepare --experiment {params.file} --examples {input.examples} "
        "{params.questions} --base {input.base} --out {output} > {log} 2>&1"


rule pretrain:
    output:
        directory(ROOT + "/pretrained"),
    log:
        ROOT + "/logs/pretrain.log",
    benchmark:
        ROOT + "/timings/pretrain.jsonl"
    params:
        file=SETTINGS.experiment,
        settings=settings_of("pretrain"),
    threads: 2
    resources:
        mem_mb=4000,
        runtime="3h",
    conda:
        "../../envs/weft.yaml"
    shell:
        "python -m weft pretrain --experiment {params.file} --threads {threads} --out {output} > {log} 2>&1"


rule place_base:
    input:
        ROOT + "/pretrained" if getattr(EXPERIMENT.base_model, "use", "") == "retrained" else [],
    output:
        directory(ROOT + "/base"),
    log:
        ROOT + "/logs/base.log",
    params:
        file=SETTINGS.experiment,
        settings=settings_of("base"),
        retrained=lambda wildcards, input: f"--retrained {input}" if input else "",
    conda:
        "../../envs/weft.yaml"
    shell:
        "python -m weft data base --experiment {params.file} --out {output} "
        + OFFLINE
        + " {params.retrained} > {log} 2>&1"
