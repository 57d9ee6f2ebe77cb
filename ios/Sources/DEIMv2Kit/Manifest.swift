import Foundation

/// `manifest.json` of a folder that `deimv2 export` wrote: all that an app has to know.
public struct Manifest: Sendable, Equatable {
  public static let fileName = "manifest.json"
  public static let schemaVersion = 2

  public let folder: URL
  public let variant: String
  public let precision: Precision
  public let input: Input
  public let outputs: [Output]
  /// Class names, by label index.
  public let labels: [String]
  /// By language tag (BCP 47), as many class names as `labels`.
  public let translations: [String: [String]]
  public let files: [File]
  public let golden: [GoldenFile]
  private let measured: [String: Measured]
  /// Recommended: show detections whose score is greater.
  public let scoreThreshold: Float

  public enum Precision: String, Sendable, Decodable {
    case fp32, fp16, int8, int8x16
    case int8Weight = "int8-weight"
  }

  /// One RGB frame, uint8, stretched to `height` x `width`.
  public struct Input: Sendable, Equatable, Decodable {
    public let name: String
    let size: [Int]
    public var height: Int { size.first ?? 0 }
    public var width: Int { size.last ?? 0 }
  }

  public struct Output: Sendable, Equatable, Decodable {
    public let name: String
    public let shape: [Int]
  }

  /// An artifact. `name` is relative to the folder.
  public struct File: Sendable, Equatable, Decodable {
    public let format: String
    public let name: String
    public let size: Int
    public let sha256: String
  }

  /// A photograph and the reference's detections on it, relative to the folder.
  public struct GoldenFile: Sendable, Equatable, Decodable {
    public let image, imageSHA256, detections, detectionsSHA256: String

    enum CodingKeys: String, CodingKey {
      case image, detections
      case imageSHA256 = "image_sha256"
      case detectionsSHA256 = "detections_sha256"
    }
  }

  private struct Measured: Sendable, Equatable, Decodable {
    struct Latency: Sendable, Equatable, Decodable {
      let memoryMB: Double
      enum CodingKeys: String, CodingKey { case memoryMB = "memory_mb" }
    }
    let latency: Latency?
  }

  /// What opening and running an artifact adds on the desktop (`deimv2 benchmark --record`), in MB; nil
  /// where that was not measured.
  public func memoryMB(of file: File) -> Double? { measured[file.name]?.latency?.memoryMB }

  /// How many detections every artifact gives.
  public var queries: Int { outputs.first.map { $0.shape[1] } ?? 0 }

  /// Reads and checks the manifest; the files beside it are checked by `url(of:)` and `checkGolden`.
  /// Throws noManifest, notJSON, newerSchema, invalidManifest or listedTwice.
  public init(folder: URL) throws(DEIMv2Error) {
    let url = folder.appending(path: Self.fileName)
    guard let data = try? Data(contentsOf: url) else { throw .noManifest(folder: folder.path) }
    guard let content = try? JSONDecoder().decode(JSON.self, from: data) else {
      throw .notJSON(path: url.path)
    }
    if case .integer(let version)? = content["schema_version"], version > Self.schemaVersion {
      throw .newerSchema(path: url.path, version: version)
    }
    do {
      let schema = try JSONDecoder().decode(JSON.self, from: Data(manifestSchema.utf8))
      if let problem = SchemaCheck(schema: schema).problem(of: content) {
        throw DEIMv2Error.invalidManifest(path: url.path, problem: problem)
      }
      let read = try JSONDecoder().decode(Content.self, from: data)
      if let problem = read.wrongCount {
        throw DEIMv2Error.invalidManifest(path: url.path, problem: problem)
      }
      if let name = read.listedTwice {
        throw DEIMv2Error.listedTwice(path: url.path, name: name)
      }
      self.init(folder: folder, content: read)
    } catch let error as DEIMv2Error {
      throw error
    } catch {
      throw .invalidManifest(path: url.path, problem: "(\(error))")
    }
  }

  /// The class name of a detection, in `language` where a translation fits it. Give the tag of the
  /// user's first language, and of no other: nothing says which language `labels` are in, and it may
  /// be the first one. Throws unnamedLabel.
  public func name(
    of detection: Detection, in language: String? = nil
  ) throws(DEIMv2Error) -> String {
    let tag = language.flatMap { translation(for: $0, among: translations.keys) }
    let names = tag.flatMap { translations[$0] } ?? labels
    guard names.indices.contains(detection.label) else {
      throw .unnamedLabel(label: detection.label, count: names.count)
    }
    return names[detection.label]
  }

  /// The artifact of a format ("mlpackage", "aimodel" or "pte"). Throws noArtifact.
  public func file(format: String) throws(DEIMv2Error) -> File {
    guard let file = files.first(where: { $0.format == format }) else {
      throw .noArtifact(format: format, folder: folder.path)
    }
    return file
  }

  /// Where an artifact lies, after its hash was compared. Throws missingFile or changedFile.
  public func url(of file: File) throws(DEIMv2Error) -> URL {
    try Checksum.require(folder.appending(path: file.name), sha256: file.sha256)
  }

  /// Throws missingFile or changedFile for the first golden file that is not the manifest's.
  public func checkGolden() throws(DEIMv2Error) {
    for entry in golden {
      let image = folder.appending(path: entry.image)
      let detections = folder.appending(path: entry.detections)
      _ = try Checksum.require(image, sha256: entry.imageSHA256)
      _ = try Checksum.require(detections, sha256: entry.detectionsSHA256)
    }
  }

  private init(folder: URL, content: Content) {
    self.folder = folder
    variant = content.variant
    precision = content.precision
    input = content.input
    outputs = content.outputs
    labels = content.labels
    translations = content.translations ?? [:]
    files = content.files
    golden = content.golden
    measured = content.measured ?? [:]
    scoreThreshold = content.scoreThreshold
  }

  private struct Content: Decodable {
    let variant: String
    let precision: Precision
    let input: Input
    let outputs: [Output]
    let labels: [String]
    let translations: [String: [String]]?
    let files: [File]
    let golden: [GoldenFile]
    let measured: [String: Measured]?
    let scoreThreshold: Float

    enum CodingKeys: String, CodingKey {
      case variant, precision, input, outputs, labels, translations, files, golden, measured
      case scoreThreshold = "score_threshold"
    }

    /// What no schema can say: a translation has a name for each class.
    var wrongCount: String? {
      let sorted = (translations ?? [:]).sorted { $0.key < $1.key }
      return sorted.first { $0.value.count != labels.count }.map { tag, names in
        "at $.translations.\(tag): found a list of \(names.count), expected \(labels.count), "
          + "one for each class"
      }
    }

    /// The first file that is there more than once.
    var listedTwice: String? {
      let names = files.map(\.name)
      return names.first { name in names.count { $0 == name } > 1 }
    }
  }
}
