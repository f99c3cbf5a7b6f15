"""The `.omp` language: where policies are parsed, checked and evaluated; today the package holds nothing public."""
