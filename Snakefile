# weft: `snakemake --cores all` in this folder runs the default experiment. The workflow is in workflow/Snakefile.


include: "workflow/Snakefile"


workflow.default_target = "all"  # the first rule of an included file is not the default one
