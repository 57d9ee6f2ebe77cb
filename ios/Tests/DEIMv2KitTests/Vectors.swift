import Foundation
import XCTest

@testable import DEIMv2Kit

/// `tests/vectors` of the repository, which Python made (`python -m tests.vectors`) and which Python,
/// Kotlin and Swift share. Each of its files names the line that made it.
enum Vectors {
  static let repository = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../..").standardizedFileURL
  static let folder = repository.appending(path: "tests/vectors")

  static func read<Content: Decodable>(_ name: String) throws -> Content {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Content.self, from: Data(contentsOf: folder.appending(path: name)))
  }

  static func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: folder.appending(path: name)))
  }
}

/// A detector that says what it was told to say.
struct Echo: Detector {
  let manifest: Manifest
  let artifact = "echo.mlpackage"
  let processor = "none"
  let say: @Sendable (Frame) throws -> [Detection]

  func detect(_ frame: Frame) async throws -> [Detection] {
    try manifest.require(frame)
    return try say(frame)
  }

  func operations() async -> [String: Int]? { ["CPU": 1] }
}
