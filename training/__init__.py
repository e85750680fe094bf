"""Training of Lacuna's small masked-diffusion model: corpus, tokenizer, trainer, export and evaluation."""
