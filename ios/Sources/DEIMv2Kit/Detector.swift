/// Finds things in frames; `CoreMLDetector` runs `.mlpackage`, `CoreAIDetector` runs `.aimodel`,
/// `ExecuTorchDetector` runs `.pte`.
public protocol Detector: Sendable {
  var manifest: Manifest { get }
  /// The artifact's file name.
  var artifact: String { get }
  /// What it runs on, in words.
  var processor: String { get }

  /// All detections of a frame of the model's input size, best first. Throws frameSize, output or
  /// runtime.
  func detect(_ frame: Frame) async throws -> [Detection]

  #if canImport(CoreVideo)
    /// The same, of a camera's or a video's frame.
    func detect(_ frame: PixelFrame) async throws -> [Detection]
  #endif

  /// How many operations are planned for which processor; nil where the runtime does not tell.
  func operations() async -> [String: Int]?
}

extension Detector {
  public func operations() async -> [String: Int]? { nil }

  #if canImport(CoreVideo)
    /// For runtimes that take bytes.
    public func detect(_ frame: PixelFrame) async throws -> [Detection] {
      try await detect(Frame(frame.buffer))
    }
  #endif
}

extension Manifest {
  /// Throws frameSize unless the frame has the model's input size.
  public func require(_ frame: Frame) throws(DEIMv2Error) {
    try require(width: frame.width, height: frame.height)
  }

  func require(width: Int, height: Int) throws(DEIMv2Error) {
    guard width == input.width, height == input.height else {
      throw .frameSize(found: [width, height], expected: [input.width, input.height])
    }
  }

  /// Puts together the three outputs, row-major: boxes [1, K, 4], scores [1, K], labels [1, K].
  /// Throws output for any other count.
  public func detections(
    boxes: [Float], scores: [Float], labels: [Int32]
  ) throws(DEIMv2Error) -> [Detection] {
    let counts = ["boxes": boxes.count, "scores": scores.count, "labels": labels.count]
    for output in outputs {
      let expected = output.shape.reduce(1, *)
      let found = counts[output.name] ?? 0
      guard found == expected else {
        throw .output(name: output.name, found: "\(found) numbers", expected: "\(expected)")
      }
    }
    return scores.indices.map { i in
      let edges = boxes[4 * i..<4 * i + 4]
      let at = edges.startIndex
      let box = Box(x1: edges[at], y1: edges[at + 1], x2: edges[at + 2], y2: edges[at + 3])
      return Detection(label: Int(labels[i]), score: scores[i], box: box)
    }
  }
}
