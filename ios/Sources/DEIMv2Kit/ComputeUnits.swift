import Foundation

/// The processors that Core ML may use.
public enum ComputeUnits: String, Sendable, CaseIterable, Codable {
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

/// Which processors were fastest for a model, kept in a file until the system changes.
struct RememberedUnits: Codable, Equatable {
  let system: String
  let units: ComputeUnits

  /// nil where nothing is kept, or what is kept is of another system or damaged.
  static func read(_ file: URL, system: String) -> ComputeUnits? {
    guard let data = try? Data(contentsOf: file),
      let kept = try? JSONDecoder().decode(Self.self, from: data), kept.system == system
    else { return nil }
    return kept.units
  }

  /// A full disk costs the memory alone.
  static func write(_ units: ComputeUnits, to file: URL, system: String) {
    let folder = file.deletingLastPathComponent()
    try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try? JSONEncoder().encode(Self(system: system, units: units)).write(to: file, options: .atomic)
  }
}
