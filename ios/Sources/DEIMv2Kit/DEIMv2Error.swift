import Foundation

/// Everything that this library throws. `errorDescription` is one line that names the value, what was
/// expected and the fix; where Python and Kotlin refuse the same thing, the sentence is theirs.
public enum DEIMv2Error: Error, Equatable, Sendable {
  case noManifest(folder: String)
  case notJSON(path: String)
  case newerSchema(path: String, version: Int)
  case invalidManifest(path: String, problem: String)
  case listedTwice(path: String, name: String)
  case missingFile(path: String, sha256: String)
  case changedFile(path: String, found: String, expected: String)
  case unreadable(path: String, reason: String)
  case invalidGolden(path: String, reason: String)
  case noGoldens(folder: String)
  case noArtifact(format: String, folder: String)
  case unnamedLabel(label: Int, count: Int)
  case bytes(count: Int, width: Int, height: Int)
  case frameSize(found: [Int], expected: [Int])
  case image(reason: String)
  case output(name: String, found: String, expected: String)
  case labelsDiffer
  case nonePasses(reasons: String)
  case runtime(artifact: String, reason: String)
}

extension DEIMv2Error: LocalizedError, CustomStringConvertible {
  public var description: String {
    switch self {
    case .noManifest(let folder):
      "no \(Manifest.fileName) in '\(folder)', expected a folder that 'deimv2 export' wrote; "
        + "check the path or export again"
    case .notJSON(let path):
      "'\(path)' is not JSON, expected a manifest; export again"
    case .newerSchema(let path, let version):
      "'\(path)' has schema version \(version), this program reads up to \(Manifest.schemaVersion); "
        + "install a newer deimv2, or export again with this one"
    case .invalidManifest(let path, let problem):
      "'\(path)' is no valid manifest \(problem); export again"
    case .listedTwice(let path, let name):
      "'\(path)' lists '\(name)' twice, expected each file once; export again"
    case .missingFile(let path, let sha256):
      "'\(path)' is missing, the manifest lists it with SHA-256 \(sha256); export again"
    case .changedFile(let path, let found, let expected):
      "'\(path)' has SHA-256 \(found), the manifest expects \(expected); "
        + "it was damaged or replaced: copy the folder or export again"
    case .unreadable(let path, let reason):
      "'\(path)' cannot be read (\(reason)), expected a file of the export; "
        + "copy the folder or export again"
    case .invalidGolden(let path, let reason):
      "'\(path)' is no golden file (\(reason)); export again"
    case .noGoldens(let folder):
      "0 golden photographs of '\(folder)', expected at least one to compare on; export again"
    case .noArtifact(let format, let folder):
      "no .\(format) in '\(folder)', expected one that the manifest lists; export with --format \(format)"
    case .unnamedLabel(let label, let count):
      "label \(label) has no name, expected 0 to \(count - 1); "
        + "use the label list that the model was trained with"
    case .bytes(let count, let width, let height):
      "\(count) bytes for a frame of \(width)x\(height), expected rows that hold it; check the row stride"
    case .frameSize(let found, let expected):
      "the frame is \(found[0])x\(found[1]), expected \(expected[0])x\(expected[1]); use Preprocessor"
    case .image(let reason):
      "the picture cannot be read (\(reason)), expected one that the system can draw; convert it first"
    case .output(let name, let found, let expected):
      "output '\(name)' is \(found), expected \(expected); export again"
    case .labelsDiffer:
      "the labels inside are not those of the manifest; export again"
    case .nonePasses(let reasons):
      "no processor detects here what PyTorch detects (\(reasons)); "
        + "choose a processor yourself, or copy the folder or export again"
    case .runtime(let artifact, let reason):
      "\(artifact) does not run here (\(reason)), expected detections; choose another processor or "
        + "export again"
    }
  }

  public var errorDescription: String? { description }
}
