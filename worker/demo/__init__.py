"""Made-up goods and orders, the same in every run: what `claimd demo` shows claimd with."""
