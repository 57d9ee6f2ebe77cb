"""From a loaded model to artifacts: `.tflite`, `.mlpackage`, `.pte`, `.onnx` and their manifest."""
