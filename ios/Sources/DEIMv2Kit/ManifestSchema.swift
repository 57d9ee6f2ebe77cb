// The text of converters/manifest.schema.json, which is the one to edit; a test compares the two.
let manifestSchema = #"""
  {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Manifest of a folder of DEIMv2 artifacts",
    "description": "All that an app has to know. Every artifact takes one frame and gives boxes, scores and labels, best first; no suppression of overlapping boxes is needed.",
    "type": "object",
    "additionalProperties": false,
    "required": [
      "schema_version", "variant", "precision", "input", "outputs", "labels", "weights", "files",
      "golden", "toolchain", "parity", "score_threshold"
    ],
    "properties": {
      "schema_version": {
        "description": "Raised when an older reader would misread the file. 2: files may name their accelerators.",
        "type": "integer",
        "minimum": 1,
        "maximum": 2
      },
      "variant": {
        "enum": ["atto", "femto", "pico", "n", "s", "m", "l", "x"]
      },
      "precision": {
        "enum": ["fp32", "fp16", "int8", "int8x16", "int8-weight"]
      },
      "input": {
        "description": "The frame. Scaling, normalisation and layout change happen inside the graph.",
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "size", "colour_order", "dtype", "layout", "resize"],
        "properties": {
          "name": { "const": "image" },
          "size": {
            "description": "Height and width in pixels.",
            "type": "array",
            "items": { "type": "integer", "minimum": 32, "multipleOf": 32 },
            "minItems": 2,
            "maxItems": 2
          },
          "colour_order": { "const": "RGB" },
          "dtype": { "const": "uint8" },
          "layout": {
            "description": "Shape [1, height, width, 3].",
            "const": "NHWC"
          },
          "resize": {
            "description": "How a photo comes to this size: both sides stretched, the aspect ratio not kept.",
            "const": "stretch, bilinear, antialiased"
          }
        }
      },
      "outputs": {
        "description": "boxes, scores and labels, in this order.",
        "type": "array",
        "minItems": 3,
        "maxItems": 3,
        "prefixItems": [
          {
            "type": "object",
            "additionalProperties": false,
            "required": ["name", "shape", "dtype", "meaning"],
            "properties": {
              "name": { "const": "boxes" },
              "shape": {
                "type": "array",
                "items": { "type": "integer", "minimum": 1 },
                "minItems": 3,
                "maxItems": 3
              },
              "dtype": { "const": "float32" },
              "meaning": { "type": "string" }
            }
          },
          {
            "type": "object",
            "additionalProperties": false,
            "required": ["name", "shape", "dtype", "meaning"],
            "properties": {
              "name": { "const": "scores" },
              "shape": {
                "type": "array",
                "items": { "type": "integer", "minimum": 1 },
                "minItems": 2,
                "maxItems": 2
              },
              "dtype": { "const": "float32" },
              "meaning": { "type": "string" }
            }
          },
          {
            "type": "object",
            "additionalProperties": false,
            "required": ["name", "shape", "dtype", "meaning"],
            "properties": {
              "name": { "const": "labels" },
              "shape": {
                "type": "array",
                "items": { "type": "integer", "minimum": 1 },
                "minItems": 2,
                "maxItems": 2
              },
              "dtype": { "const": "int32" },
              "meaning": { "type": "string" }
            }
          }
        ]
      },
      "labels": {
        "description": "Class names, by label index.",
        "type": "array",
        "minItems": 1,
        "items": { "type": "string", "minLength": 1 }
      },
      "translations": {
        "description": "Class names in other languages, by language tag (BCP 47): as many as `labels`, in its order. Not there: in none.",
        "type": "object",
        "propertyNames": { "pattern": "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$" },
        "additionalProperties": {
          "type": "array",
          "items": { "type": "string", "minLength": 1 }
        }
      },
      "weights": {
        "type": "object",
        "additionalProperties": false,
        "required": ["source", "sha256"],
        "properties": {
          "source": {
            "description": "Where the weights come from, in words.",
            "type": "string",
            "minLength": 1
          },
          "sha256": { "$ref": "#/$defs/sha256" }
        }
      },
      "files": {
        "description": "The artifacts, beside this file.",
        "type": "array",
        "minItems": 1,
        "items": {
          "type": "object",
          "additionalProperties": false,
          "required": ["format", "name", "size", "sha256", "input"],
          "properties": {
            "format": { "enum": ["tflite", "pte", "onnx", "mlpackage", "aimodel"] },
            "name": { "type": "string", "pattern": "^[^/\\\\]+\\.(tflite|pte|onnx|mlpackage|aimodel)$" },
            "size": {
              "description": "In bytes; of a folder (mlpackage, aimodel), of all its files together.",
              "type": "integer",
              "minimum": 1
            },
            "sha256": {
              "description": "Of a folder: over its files in the order of their paths, each as its relative path in UTF-8, a zero byte, its length in 8 bytes (big-endian), its content.",
              "$ref": "#/$defs/sha256"
            },
            "input": {
              "description": "tensor: as `input` above says; image: Core ML's image type of that size.",
              "enum": ["tensor", "image"]
            },
            "accelerators": {
              "description": "On which the file was run and showed what its reference shows, the one to try first at the front (deimv2 verify --device gpu --record). Not there: only the CPU was tried.",
              "type": "array",
              "minItems": 1,
              "items": { "enum": ["cpu", "gpu"] }
            },
            "not_run": {
              "description": "The delegate that the file is for, where it was never run by it: its operations were computed one after the other in PyTorch. No app is to choose it by itself.",
              "enum": ["Vulkan"]
            },
            "computation": {
              "description": "What a frame costs and who computes it, read from the file (deimv2 inspect).",
              "type": "object",
              "additionalProperties": false,
              "required": ["macs", "integer_share"],
              "properties": {
                "macs": {
                  "description": "Multiply-accumulates of convolutions and of products of matrices.",
                  "type": "integer",
                  "minimum": 0
                },
                "integer_share": {
                  "description": "Of these, those of int8 with int8.",
                  "$ref": "#/$defs/share"
                },
                "delegate": {
                  "description": "Whose part of the file it is: XNNPACK's, Core ML's, Vulkan's; of an .mlpackage Core ML's Neural Engine, as far as its rules are documented.",
                  "enum": ["XNNPACK", "Core ML", "Vulkan", "Neural Engine"]
                },
                "delegated_share": {
                  "description": "Of the multiply-accumulates, those that the delegate takes.",
                  "$ref": "#/$defs/share"
                }
              },
              "dependentRequired": { "delegate": ["delegated_share"], "delegated_share": ["delegate"] }
            }
          }
        }
      },
      "golden": {
        "description": "Photographs at input size and the detections to expect on them: the float32 model's, or for int8 and int8-weight those of PyTorch rounding to int8.",
        "type": "array",
        "minItems": 3,
        "items": {
          "type": "object",
          "additionalProperties": false,
          "required": ["image", "image_sha256", "detections", "detections_sha256", "source"],
          "properties": {
            "image": { "type": "string", "pattern": "^golden/[^/\\\\]+\\.png$" },
            "image_sha256": { "$ref": "#/$defs/sha256" },
            "detections": { "type": "string", "pattern": "^golden/[^/\\\\]+\\.json$" },
            "detections_sha256": { "$ref": "#/$defs/sha256" },
            "source": {
              "description": "Title, author, source and licence of the photograph.",
              "type": "string"
            }
          }
        }
      },
      "npu": {
        "description": "Some of the files, compiled ahead of time for the NPU of one chip. They run there alone, and were not run by what made them: the maker's compiler says what its NPU takes.",
        "type": "array",
        "minItems": 1,
        "items": {
          "type": "object",
          "additionalProperties": false,
          "required": [
            "name", "size", "sha256", "compiled_from", "maker", "chip", "operations", "taken", "calls"
          ],
          "properties": {
            "name": { "type": "string", "pattern": "^[^/\\\\]+\\.tflite$" },
            "size": { "type": "integer", "minimum": 1 },
            "sha256": { "$ref": "#/$defs/sha256" },
            "compiled_from": { "type": "string", "pattern": "^[^/\\\\]+\\.tflite$" },
            "maker": { "enum": ["qualcomm", "mediatek", "google_tensor", "samsung"] },
            "chip": { "type": "string", "minLength": 1 },
            "operations": { "type": "integer", "minimum": 1 },
            "taken": {
              "description": "Of the operations, those that the NPU runs; the CPU runs the others.",
              "type": "integer",
              "minimum": 1
            },
            "calls": { "type": "integer", "minimum": 1 }
          }
        }
      },
      "toolchain": {
        "description": "Package and version, of what made the artifacts.",
        "type": "object",
        "additionalProperties": { "type": "string" }
      },
      "parity": {
        "description": "By artifact: how far its detections on the golden photographs are from those in golden/: the float32 model's, or for int8 and int8-weight those of PyTorch rounding to int8.",
        "type": "object",
        "additionalProperties": {
          "type": "object",
          "required": ["measured", "limits"],
          "properties": {
            "measured": { "type": "object" },
            "limits": { "type": "object" },
            "kept": {
              "description": "int8: of float32's detections above 0.3 (counted), how many are still found, with the same label at the same place and a score at most 0.1 lower, and the share that must be (limit).",
              "type": "object",
              "additionalProperties": false,
              "required": ["counted", "found", "limit"],
              "properties": {
                "counted": { "type": "integer", "minimum": 0 },
                "found": { "type": "integer", "minimum": 0 },
                "limit": { "$ref": "#/$defs/share" }
              }
            }
          }
        }
      },
      "measured": {
        "description": "By artifact: what was measured of it after the export (--record).",
        "type": "object",
        "additionalProperties": {
          "type": "object",
          "additionalProperties": false,
          "properties": {
            "ap": {
              "description": "Average precision (deimv2 evaluate).",
              "type": "object",
              "additionalProperties": false,
              "required": ["AP", "AP50", "photos", "annotations_sha256"],
              "properties": {
                "AP": { "$ref": "#/$defs/share" },
                "AP50": { "$ref": "#/$defs/share" },
                "photos": { "type": "integer", "minimum": 1 },
                "annotations_sha256": { "$ref": "#/$defs/sha256" }
              }
            },
            "latency": {
              "description": "Of one frame (deimv2 benchmark); ratio: of its time to that of the same weights exported plainly to ONNX.",
              "type": "object",
              "additionalProperties": false,
              "required": ["machine", "threads", "median_ms", "p95_ms", "first_ms", "load_ms", "memory_mb"],
              "properties": {
                "machine": { "type": "string" },
                "threads": { "type": "integer", "minimum": 1 },
                "median_ms": { "type": "number", "minimum": 0 },
                "p95_ms": { "type": "number", "minimum": 0 },
                "first_ms": { "type": "number", "minimum": 0 },
                "load_ms": { "type": "number", "minimum": 0 },
                "memory_mb": { "type": "number", "minimum": 0 },
                "ratio": { "type": "number", "minimum": 0 }
              }
            },
            "gpu": {
              "description": "Parity on LiteRT's GPU accelerator (deimv2 verify --device gpu): with float32 arithmetic, and in the one that the accelerator takes by itself.",
              "type": "object",
              "additionalProperties": false,
              "required": ["float32", "default"],
              "properties": {
                "float32": { "$ref": "#/$defs/trial" },
                "default": { "$ref": "#/$defs/trial" }
              }
            },
            "arm64": {
              "description": "Parity with this machine and instructions of one inference (deimv2 verify --device arm64).",
              "type": "object",
              "additionalProperties": false,
              "required": ["cpu", "measured", "limits"],
              "properties": {
                "cpu": { "type": "string" },
                "instructions": { "type": "integer", "minimum": 1 },
                "measured": { "type": "object" },
                "limits": { "type": "object" }
              }
            }
          }
        }
      },
      "score_threshold": {
        "description": "Recommended: show detections whose score is greater.",
        "type": "number",
        "minimum": 0,
        "maximum": 1
      }
    },
    "$defs": {
      "sha256": { "type": "string", "pattern": "^[0-9a-f]{64}$" },
      "share": { "type": "number", "minimum": 0, "maximum": 1 },
      "trial": {
        "type": "object",
        "additionalProperties": false,
        "required": ["passed", "problems"],
        "properties": {
          "passed": { "type": "boolean" },
          "problems": { "type": "array", "items": { "type": "string" } },
          "measured": { "type": "object" },
          "limits": { "type": "object" }
        }
      }
    }
  }
  """#
