#if canImport(CoreML)
  import CoreML

  extension CoreMLDetector {
    /// By Core ML's plan for this device; nil before iOS 17.4.
    public nonisolated func operations() async -> [String: Int]? {
      guard #available(iOS 17.4, macOS 14.4, tvOS 17.4, visionOS 1.1, watchOS 10.4, *),
        let plan = try? await MLComputePlan.load(
          contentsOf: compiled, configuration: Self.configuration(units)),
        case .program(let program) = plan.modelStructure
      else { return nil }
      var counts: [String: Int] = [:]
      var blocks = program.functions.values.map(\.block)
      while let block = blocks.popLast() {
        for operation in block.operations {
          blocks += operation.blocks
          if let usage = plan.deviceUsage(for: operation) {  // constants have none
            counts[Self.name(usage.preferred), default: 0] += 1
          }
        }
      }
      return counts
    }

    @available(iOS 17.4, macOS 14.4, tvOS 17.4, visionOS 1.1, watchOS 10.4, *)
    private static func name(_ device: MLComputeDevice) -> String {
      switch device {
      case .cpu: "CPU"
      case .gpu: "GPU"
      case .neuralEngine: "Neural Engine"
      @unknown default: "another processor"
      }
    }
  }
#endif
