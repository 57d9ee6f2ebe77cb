#if canImport(CoreML)
  import CoreML
  import CoreVideo
  import Foundation

  /// Runs the `.mlpackage` of an export. An actor: frames sent at once are detected one after another, on
  /// a queue of its own, so that no thread of Swift's own waits for the Neural Engine.
  public actor CoreMLDetector: Detector {
    public nonisolated let manifest: Manifest
    public nonisolated let artifact: String
    public nonisolated let units: ComputeUnits
    public nonisolated var processor: String { units.title }
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
      queue.asUnownedSerialExecutor()
    }
    private nonisolated let queue = DispatchSerialQueue(label: "DEIMv2 Core ML")
    nonisolated let compiled: URL
    private let model: MLModel
    private let input: CVPixelBuffer  // for frames that come as bytes, filled anew for each

    /// Checks the package's hash, compiles it once per device and loads it. `units`: by default the
    /// first candidate of the manifest's precision; `fastest` measures instead. Throws noArtifact,
    /// missingFile, changedFile, labelsDiffer or runtime.
    public init(_ manifest: Manifest, on units: ComputeUnits? = nil) async throws(DEIMv2Error) {
      let file = try manifest.file(format: "mlpackage")
      let package = try manifest.url(of: file)
      let chosen = units ?? ComputeUnits.candidates(for: manifest.precision).first ?? .all
      do {
        let cached = try await Self.compiled(package, key: file.sha256, afresh: false)
        if let loaded = try? await Self.load(cached, chosen) {
          (model, compiled) = (loaded, cached)
        } else {  // as after an update of the system
          compiled = try await Self.compiled(package, key: file.sha256, afresh: true)
          model = try await Self.load(compiled, chosen)
        }
      } catch {
        throw .runtime(artifact: file.name, reason: error.localizedDescription)
      }
      if let labels = Self.labels(in: model), labels != manifest.labels { throw .labelsDiffer }
      input = try makePixelBuffer(width: manifest.input.width, height: manifest.input.height)
      (self.manifest, artifact, self.units) = (manifest, file.name, chosen)
    }

    /// The fastest that passes on the golden photographs, which are read and replayed only where it is not
    /// known yet. Throws noArtifact or nonePasses, and what is wrong with the golden files.
    public static func fastest(_ manifest: Manifest) async throws(DEIMv2Error) -> CoreMLDetector {
      _ = try manifest.file(format: "mlpackage")
      if let known = await remembered(manifest) { return known }
      let (detector, rows) = await fastest(manifest, on: try Golden.all(of: manifest), afresh: true)
      guard let detector else { throw .nonePasses(rows) }
      return detector
    }

    /// Replays the golden photographs on every candidate of the manifest's precision. Gives the
    /// fastest detector that passes, nil if none does, and the result of each. What was found for
    /// this model on this system is used again, without results, unless `afresh`.
    public static func fastest(
      _ manifest: Manifest, on goldens: [Golden], afresh: Bool = false,
      timing: ParityCheck.Timing? = nil
    ) async -> (detector: CoreMLDetector?, rows: [ParityCheck.Row]) {
      if !afresh, let detector = await remembered(manifest) { return (detector, []) }
      var best: (detector: CoreMLDetector, ms: Double)?
      var rows: [ParityCheck.Row] = []
      for units in ComputeUnits.candidates(for: manifest.precision) {
        do {
          let detector = try await CoreMLDetector(manifest, on: units)
          let row = await ParityCheck.run(detector, on: goldens, timing: timing)
          rows.append(row)
          if row.passed, let ms = row.median, ms < best?.ms ?? .infinity { best = (detector, ms) }
        } catch {
          let name = (try? manifest.file(format: "mlpackage").name) ?? "mlpackage"
          rows.append(ParityCheck.failed(name, on: units.title, error))
        }
      }
      if let memory = memory(of: manifest), let best {
        RememberedUnits.write(best.detector.units, to: memory, system: system)
      }
      return (best?.detector, rows)
    }

    private static var system: String { ProcessInfo.processInfo.operatingSystemVersionString }

    /// Where the fastest processor for this model is kept.
    private static func memory(of manifest: Manifest) -> URL? {
      (try? manifest.file(format: "mlpackage")).map {
        caches().appending(path: "\($0.sha256).units.json")
      }
    }

    private static func remembered(_ manifest: Manifest) async -> CoreMLDetector? {
      guard let memory = memory(of: manifest),
        let units = RememberedUnits.read(memory, system: system)
      else { return nil }
      return try? await CoreMLDetector(manifest, on: units)
    }

    public func detect(_ frame: Frame) throws(DEIMv2Error) -> [Detection] {
      try manifest.require(frame)
      try frame.copy(to: input)
      return try detect(in: input)
    }

    /// Without a copy.
    public func detect(_ frame: PixelFrame) throws(DEIMv2Error) -> [Detection] {
      let (width, height) = (
        CVPixelBufferGetWidth(frame.buffer), CVPixelBufferGetHeight(frame.buffer)
      )
      try manifest.require(width: width, height: height)
      return try detect(in: frame.buffer)
    }

    private func detect(in input: CVPixelBuffer) throws(DEIMv2Error) -> [Detection] {
      let outputs: any MLFeatureProvider
      do {
        outputs = try model.prediction(
          from: MLDictionaryFeatureProvider(dictionary: [
            manifest.input.name: MLFeatureValue(pixelBuffer: input)
          ]))
      } catch {
        throw .runtime(artifact: artifact, reason: error.localizedDescription)
      }
      return try manifest.detections(
        boxes: MLShapedArray<Float>(converting: array("boxes", in: outputs)).scalars,
        scores: MLShapedArray<Float>(converting: array("scores", in: outputs)).scalars,
        labels: MLShapedArray<Int32>(converting: array("labels", in: outputs)).scalars)
    }

    private func array(
      _ name: String, in outputs: any MLFeatureProvider
    ) throws(DEIMv2Error) -> MLMultiArray {
      guard let array = outputs.featureValue(for: name)?.multiArrayValue else {
        let names = outputs.featureNames.sorted().joined(separator: ", ")
        throw .output(name: name, found: "not among \(names)", expected: "an array")
      }
      return array
    }

    /// The compiled model, kept in the caches under the package's hash.
    private static func compiled(_ package: URL, key: String, afresh: Bool) async throws -> URL {
      let files = FileManager.default
      let folder = caches()
      let kept = folder.appending(path: "\(key).mlmodelc")
      if files.fileExists(atPath: kept.path) {
        if !afresh { return kept }
        try files.removeItem(at: kept)
      }
      let fresh = try await MLModel.compileModel(at: package)
      do {
        try files.createDirectory(at: folder, withIntermediateDirectories: true)
        try files.moveItem(at: fresh, to: kept)
      } catch {
        try? files.removeItem(at: fresh)
        guard files.fileExists(atPath: kept.path) else { throw error }
      }  // else another detector was faster
      return kept
    }

    private static func load(
      _ compiled: URL, _ units: ComputeUnits
    ) async throws -> sending MLModel {
      try await MLModel.load(contentsOf: compiled, configuration: configuration(units))
    }

    private static func caches() -> URL {
      let files = FileManager.default
      let caches = files.urls(for: .cachesDirectory, in: .userDomainMask).first
      return (caches ?? files.temporaryDirectory).appending(path: "DEIMv2Kit")
    }

    static func configuration(_ units: ComputeUnits) -> MLModelConfiguration {
      let configuration = MLModelConfiguration()
      configuration.computeUnits =
        switch units {
        case .all: .all
        case .cpuAndNeuralEngine: .cpuAndNeuralEngine
        case .cpuAndGPU: .cpuAndGPU
        case .cpuOnly: .cpuOnly
        }
      if #available(iOS 18, macOS 15, *) {
        configuration.optimizationHints.specializationStrategy = .fastPrediction
      }
      return configuration
    }

    /// The labels in the card that `deimv2 export` puts into every package.
    private static func labels(in model: MLModel) -> [String]? {
      struct Card: Decodable { let labels: [String] }
      let stored = model.modelDescription.metadata[.creatorDefinedKey] as? [String: String]
      guard let card = stored?["deimv2.json"] else { return nil }
      return try? JSONDecoder().decode(Card.self, from: Data(card.utf8)).labels
    }
  }
#endif
