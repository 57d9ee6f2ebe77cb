/// The processors that Core ML may use.
public enum ComputeUnits: String, Sendable, CaseIterable {
  case all, cpuAndNeuralEngine, cpuAndGPU, cpuOnly

  /// What is worth measuring. The Neural Engine computes in float16 alone, so a float32 model gains
  /// nothing by it.
  public static func candidates(for precision: Manifest.Precision) -> [ComputeUnits] {
    switch precision {
    case .fp32, .int8Weight, .int8x16: [.cpuAndGPU, .cpuOnly]
    case .fp16, .int8: [.cpuAndNeuralEngine, .all, .cpuAndGPU, .cpuOnly]
    }
  }

  public var title: String {
    switch self {
    case .all: "All"
    case .cpuAndNeuralEngine: "CPU and Neural Engine"
    case .cpuAndGPU: "CPU and GPU"
    case .cpuOnly: "CPU"
    }
  }
}
