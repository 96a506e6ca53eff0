# The models of an evaluation: checkpoints and adapters, which are found or downloaded, checked and pinned.


rule place_model_base:
    input:
        lambda wildcards: custom_files(EXPERIMENT.base_source(wildcards.model)),
    output:
        directory(RESULTS.model_base("{model}")),
    log:
        RESULTS.log("model_base", "{model}"),
    conda:
        "../../envs/weft.yaml"
    params:
        file=experiment_file,
        settings=settings_of("model"),
        offline=offline_options,
    shell:
        "python -m weft data model --experiment {params.file:q} --is-base --out {output} {params.offline} "
        "{wildcards.model} > {log} 2>&1"


rule place_model:
    input:
        local=lambda wildcards: custom_files(EXPERIMENT.models[wildcards.model]),
        base=lambda wildcards: base_of_adapter(wildcards.model),
    output:
        directory(RESULTS.model("{model}")),
    log:
        RESULTS.log("model", "{model}"),
    conda:
        "../../envs/weft.yaml"
    params:
        file=experiment_file,
        settings=settings_of("model"),
        offline=offline_options,
        base=lambda wildcards, input: f"--base {input.base}" if input.base else "",
    shell:
        "python -m weft data model --experiment {params.file:q} {params.base} --out {output} {params.offline} "
        "{wildcards.model} > {log} 2>&1"
