import DEIMv2Kit
import ExecuTorch
import Foundation

/// Runs the `.pte` of an export: on the CPU by XNNPACK, or by Core ML where that is inside the file.
/// An actor: frames sent at once are detected one after another, on a queue of its own, so that no
/// thread of Swift's own waits for them.
public actor ExecuTorchDetector: Detector {
  public nonisolated let manifest: Manifest
  public nonisolated let artifact: String
  public nonisolated let processor: String
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    queue.asUnownedSerialExecutor()
  }
  private nonisolated let queue = DispatchSerialQueue(label: "DEIMv2 ExecuTorch")
  private let module: Module

  /// Checks the file's hash and loads it. Throws noArtifact, missingFile, changedFile or runtime.
  public init(_ manifest: Manifest) throws(DEIMv2Error) {
    let file = try manifest.file(format: "pte")
    let url = try manifest.url(of: file)
    module = Module(filePath: url.path)
    do {
      try module.load("forward")
    } catch {
      throw .runtime(artifact: file.name, reason: error.localizedDescription)
    }
    (self.manifest, artifact) = (manifest, file.name)
    processor = file.name.hasSuffix("-coreml.pte") ? "Core ML" : "CPU (XNNPACK)"
  }

  public func detect(_ frame: Frame) throws(DEIMv2Error) -> [Detection] {
    try manifest.require(frame)
    let outputs: [Value]
    do {
      let shape = [1, frame.height, frame.width, 3]
      outputs = try module.forward(Tensor<UInt8>(frame.bytes, shape: shape))
    } catch {
      throw .runtime(artifact: artifact, reason: error.localizedDescription)
    }
    return try manifest.detections(
      boxes: numbers("boxes", in: outputs), scores: numbers("scores", in: outputs),
      labels: numbers("labels", in: outputs))
  }

  /// Outputs of a `.pte` have no names: they come in the manifest's order.
  private func numbers<Number: Scalar>(
    _ name: String, in outputs: [Value]
  ) throws(DEIMv2Error) -> [Number] {
    guard let at = manifest.outputs.firstIndex(where: { $0.name == name }),
      outputs.indices.contains(at), let tensor: Tensor<Number> = outputs[at].tensor()
    else {
      throw .output(
        name: name, found: "not among \(outputs.count) outputs", expected: "\(Number.self)")
    }
    return tensor.scalars()
  }
}
