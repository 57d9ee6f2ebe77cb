"""From a loaded model to artifacts: `.tflite`, `.mlpackage`, `.pte`, `.onnx` and their manifest."""

FORMATS = ("tflite", "mlpackage", "pte", "onnx")
PHONE_FORMATS = FORMATS[:3]
PRECISIONS = ("fp32", "fp16", "int8", "int8-weight")
