"""TensorRT-LLM: its PyTorch backend, or engines that are compiled and kept."""
