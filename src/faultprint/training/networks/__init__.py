"""The networks that turn windows into vectors, and their ONNX graphs."""
