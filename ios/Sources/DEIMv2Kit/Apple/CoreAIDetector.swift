#if canImport(CoreAI)
  import CoreAI
  import Foundation

  /// Runs the `.aimodel` of an export by Core AI, on the processors that it chooses itself.
  @available(iOS 27, macOS 27, tvOS 27, visionOS 27, watchOS 27, *)
  public struct CoreAIDetector: Detector {
    public let manifest: Manifest
    public let artifact: String
    public let processor = "Core AI"
    private let function: InferenceFunction

    /// Checks the asset's hash, and specializes it for the device, which Core AI does once and
    /// remembers. Throws noArtifact, missingFile, changedFile, labelsDiffer or runtime.
    public init(_ manifest: Manifest) async throws(DEIMv2Error) {
      let file = try manifest.file(format: "aimodel")
      let url = try manifest.url(of: file)
      let labels: [String]?
      let loaded: InferenceFunction?
      do {
        labels = Self.labels(in: try AIModelAsset(contentsOf: url))
        loaded = try await AIModel(contentsOf: url).loadFunction(named: "main")
      } catch {
        throw .runtime(artifact: file.name, reason: error.localizedDescription)
      }
      guard let loaded else {
        throw .runtime(artifact: file.name, reason: "it has no function 'main'")
      }
      if let labels, labels != manifest.labels { throw .labelsDiffer }
      function = loaded
      (self.manifest, artifact) = (manifest, file.name)
    }

    public func detect(_ frame: Frame) async throws(DEIMv2Error) -> [Detection] {
      try manifest.require(frame)
      let boxes: NDArray?
      let scores: NDArray?
      let labels: NDArray?
      do {
        let image = NDArray(scalars: frame.bytes, shape: [1, frame.height, frame.width, 3])
        var outputs = try await function.run(inputs: [manifest.input.name: image])
        boxes = outputs.remove("boxes")?.ndArray
        scores = outputs.remove("scores")?.ndArray
        labels = outputs.remove("labels")?.ndArray
      } catch {
        throw .runtime(artifact: artifact, reason: error.localizedDescription)
      }
      return try manifest.detections(
        boxes: numbers("boxes", boxes, .float32), scores: numbers("scores", scores, .float32),
        labels: numbers("labels", labels, .int32))
    }

    /// The numbers of an output, row-major. Between rows there may be a gap.
    private func numbers<Number: BitwiseCopyable>(
      _ name: String, _ array: NDArray?, _ type: NDArray.ScalarType
    ) throws(DEIMv2Error) -> [Number] {
      guard let array, array.scalarType == type, array.interleaveLayout == nil else {
        let found = array.map { "\($0.scalarType)" } ?? "no array"
        throw .output(name: name, found: found, expected: "an array of \(type)")
      }
      return array.view(as: Number.self).withUnsafePointer { start, shape, strides in
        var places = [0]
        for axis in 0..<shape.count {
          let (count, stride) = (shape[axis], strides[axis])
          places = places.flatMap { place in (0..<count).map { place + $0 * stride } }
        }
        return places.map { start[$0] }
      }
    }

    /// The labels in the card that `deimv2 export` puts into every asset.
    private static func labels(in asset: AIModelAsset) -> [String]? {
      struct Card: Decodable { let labels: [String] }
      guard case .string(let card)? = asset.metadata.creatorDefinedMetadata["deimv2.json"]
      else { return nil }
      return try? JSONDecoder().decode(Card.self, from: Data(card.utf8)).labels
    }
  }
#endif
