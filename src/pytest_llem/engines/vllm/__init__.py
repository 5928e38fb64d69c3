"""vLLM: offline through ``LLM``, or streaming through ``AsyncLLM``."""
