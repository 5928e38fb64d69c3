"""ONNX Runtime GenAI as an engine of pytest-llem."""
