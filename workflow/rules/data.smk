# Questions, training examples and the base model: made here, shipped, or fetched with a pinned hash.


rule questions:
    input:
        custom_benchmark,
    output:
        "results/{experiment}/data/questions/{benchmark}.jsonl",
    log:
        "results/{experiment}/logs/questions/{benchmark}.log",
    conda:
        "../../envs/weft.yaml"
    params:
        file=SETTINGS.experiment,
        settings=settings_of("questions"),
        offline=OFFLINE,
    shell:
        "python -m weft data benchmark --experiment {params.file:q} --out {output} {params.offline} "
        "{wildcards.benchmark} > {log} 2>&1"


rule examples:
    input:
        lambda wildcards: custom_files(EXPERIMENT.datasets[wildcards.dataset]),
    output:
        "results/{experiment}/data/examples/{dataset}.jsonl",
    log:
        "results/{experiment}/logs/examples/{dataset}.log",
    conda:
        "../../envs/weft.yaml"
    params:
        file=SETTINGS.experiment,
        settings=settings_of("examples"),
        offline=OFFLINE,
    shell:
        "python -m weft data dataset --experiment {params.file:q} --out {output} {params.offline} "
        "{wildcards.dataset} > {log} 2>&1"


rule prepare:
    input:
        examples="results/{experiment}/data/examples/{dataset}.jsonl",
        questions=expand(
            "results/{experiment}/data/questions/{benchmark}.jsonl",
            benchmark=EXPERIMENT.benchmarks,
            allow_missing=True,
        ),
        base="results/{experiment}/base",
    output:
        directory("results/{experiment}/data/prepared/{dataset}"),
    log:
        "results/{experiment}/logs/prepare/{dataset}.log",
    conda:
        "../../envs/weft.yaml"
    params:
        file=SETTINGS.experiment,
        settings=settings_of("prepare"),
        questions=lambda wildcards, input: " ".join(
            f"--questions {file}" for file in input.questions
        ),
    shell:
        "python -m weft data prepare --experiment {params.file:q} --examples {input.examples} "
        "{params.questions} --base {input.base} --out {output} > {log} 2>&1"


rule pretrain:
    output:
        directory("results/{experiment}/pretrained"),
    log:
        "results/{experiment}/logs/pretrain.log",
    benchmark:
        "results/{experiment}/timings/pretrain.jsonl"
    conda:
        "../../envs/weft.yaml"
    threads: 2
    resources:
        mem_mb=4000,
        runtime="3h",
    params:
        file=SETTINGS.experiment,
        settings=settings_of("pretrain"),
    shell:
        "python -m weft pretrain --experiment {params.file:q} --threads {threads} --out {output} > {log} 2>&1"


rule place_base:
    input:
        local=custom_files(EXPERIMENT.base_model),
        retrained=(
            "results/{experiment}/pretrained"
            if getattr(EXPERIMENT.base_model, "use", "") == "retrained"
            else []
        ),
    output:
        directory("results/{experiment}/base"),
    log:
        "results/{experiment}/logs/base.log",
    conda:
        "../../envs/weft.yaml"
    params:
        file=SETTINGS.experiment,
        settings=settings_of("base"),
        offline=OFFLINE,
        retrained=lambda wildcards, input: (
            f"--retrained {input.retrained}" if input.retrained else ""
        ),
    shell:
        "python -m weft data base --experiment {params.file:q} --out {output} {params.offline} "
        "{params.retrained} > {log} 2>&1"
