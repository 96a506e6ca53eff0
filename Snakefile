# weft: `snakemake --cores all` in this folder runs the default experiment. The workflow is in workflow/Snakefile.


include: "workflow/Snakefile"


# The first rule of an included file is not the default one.
workflow.default_target = "all"
