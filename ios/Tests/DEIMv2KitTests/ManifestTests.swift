import XCTest

@testable import DEIMv2Kit

/// tests/vectors/manifests.json: a good folder, changed in many ways, and what Python says of each.
final class ManifestTests: XCTestCase {
  struct Index: Decodable {
    struct Case: Decodable {
      let name: String
      let changes: [String: String?]
      let sentence: String?
    }
    struct Label: Decodable {
      let label: Int
      let names: [String]
      let sentence: String?
    }
    let folder: String
    let cases: [Case]
    let labels: [Label]
  }

  func testBrokenFoldersAreRefusedWithPythonsSentences() throws {
    let index: Index = try Vectors.read("manifests.json")
    XCTAssertGreaterThan(index.cases.count, 40)
    for row in index.cases {
      let folder = try copy(index.folder)
      defer { try? FileManager.default.removeItem(at: folder) }
      for (name, text) in row.changes { try change(folder.appending(path: name), to: text) }
      let expected = row.sentence?.replacingOccurrences(of: "{folder}", with: folder.path)
      XCTAssertEqual(sentence(folder), expected, row.name)
    }
  }

  func testLabelsWithoutANameAreRefusedWithPythonsSentences() throws {
    for row in try (Vectors.read("manifests.json") as Index).labels {
      let folder = try copy("folder")
      defer { try? FileManager.default.removeItem(at: folder) }
      let manifest = try Manifest(folder: folder)
      XCTAssertEqual(manifest.labels, row.names)
      let detection = Detection(
        label: row.label, score: 0.5, box: Box(x1: 0, y1: 0, x2: 0, y2: 0))
      do {
        let name = try manifest.name(of: detection)
        XCTAssertNil(row.sentence, name)
      } catch {
        XCTAssertEqual(error.localizedDescription, row.sentence)
      }
    }
  }

  func testWhatAManifestSays() throws {
    let manifest = try Manifest(folder: Vectors.folder.appending(path: "folder"))
    XCTAssertEqual(manifest.variant, "atto")
    XCTAssertEqual(manifest.precision, .fp32)
    XCTAssertEqual(manifest.scoreThreshold, 0.4)
    XCTAssertEqual(manifest.golden.count, 3)
    XCTAssertEqual(manifest.files.map(manifest.memoryMB), [41.5, nil, nil])
    XCTAssertEqual(try manifest.file(format: "mlpackage").name, "tiny.mlpackage")
    XCTAssertThrowsError(try manifest.file(format: "onnx")) {
      XCTAssertTrue("\($0)".hasPrefix("no .onnx in "))
    }
  }

  func testANameIsInTheLanguageWhereThereIsATranslation() throws {
    let manifest = try Manifest(folder: Vectors.folder.appending(path: "folder"))
    let dog = Detection(label: 1, score: 0.5, box: Box(x1: 0, y1: 0, x2: 0, y2: 0))
    XCTAssertEqual(
      try ["de-CH", "pt-PT", "en", nil].map { try manifest.name(of: dog, in: $0) },
      ["Hund", "cão", "dog", "dog"])
    let third = Detection(label: 2, score: 0.5, box: Box(x1: 0, y1: 0, x2: 0, y2: 0))
    XCTAssertThrowsError(try manifest.name(of: third, in: "de"))
  }

  func testEveryLanguageHasItsTranslation() throws {
    struct Index: Decodable {
      struct Case: Decodable {
        let tags: [String]
        let language: String
        let expected: String?
      }
      let cases: [Case]
    }
    let index: Index = try Vectors.read("languages.json")
    XCTAssertGreaterThan(index.cases.count, 20)
    for row in index.cases {
      XCTAssertEqual(translation(for: row.language, among: row.tags), row.expected, "\(row)")
    }
  }

  func testTheSchemaIsPythons() throws {
    let path = Vectors.repository.appending(path: "converters/manifest.schema.json")
    let theirs = try String(contentsOf: path, encoding: .utf8)
    XCTAssertEqual(manifestSchema + "\n", theirs, "paste that file into ManifestSchema.swift")
  }

  func testSHA256AcrossTheEdgesOfItsBlocks() throws {
    // python -c "import hashlib; print(hashlib.sha256(b'a' * 55).hexdigest())", and 56, 64, 119, 1000
    let expected = [
      55: "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318",
      56: "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a",
      64: "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb",
      119: "31eba51c313a5c08226adf18d4a359cfdfd8d2e816b13f4af952f7ea6584dcfb",
      1000: "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3",
    ]
    let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: file) }
    for (count, hash) in expected {
      try Data(repeating: UInt8(ascii: "a"), count: count).write(to: file)
      XCTAssertEqual(try Checksum.sha256(of: file), hash)
    }
  }

  /// What is wrong, the first thing: the manifest, then each file, then the golden files.
  private func sentence(_ folder: URL) -> String? {
    do {
      let manifest = try Manifest(folder: folder)
      for file in manifest.files { _ = try manifest.url(of: file) }
      try manifest.checkGolden()
      return nil
    } catch {
      return error.localizedDescription
    }
  }

  private func copy(_ name: String) throws -> URL {
    let target = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.copyItem(at: Vectors.folder.appending(path: name), to: target)
    return target
  }

  private func change(_ file: URL, to text: String?) throws {
    if let text {
      try Data(text.utf8).write(to: file)
    } else {
      try FileManager.default.removeItem(at: file)
    }
  }
}
