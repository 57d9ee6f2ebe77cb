#if canImport(CoreAI)
  import XCTest

  @testable import DEIMv2Kit

  /// Needs macOS 27 and DEIMV2_AIMODEL, the folder of an export with `--format aimodel`.
  @available(macOS 27, *)
  final class CoreAITests: XCTestCase {
    private func export() throws -> Manifest {
      guard let path = ProcessInfo.processInfo.environment["DEIMV2_AIMODEL"] else {
        throw XCTSkip("DEIMV2_AIMODEL names no export")
      }
      return try Manifest(folder: URL(filePath: path))
    }

    func testTheModelDetectsWhatPythonDetects() async throws {
      let manifest = try export()
      let detector = try await CoreAIDetector(manifest)
      let row = await ParityCheck.run(detector, on: try Golden.all(of: manifest))
      XCTAssertTrue(row.passed, row.problems.joined(separator: "\n"))
      XCTAssertEqual(row.artifact, try manifest.file(format: "aimodel").name)
    }

    func testAFrameOfAnotherSizeIsRefused() async throws {
      let detector = try await CoreAIDetector(export())
      let small = try Frame(width: 1, height: 1, bytes: [0, 0, 0])
      do {
        _ = try await detector.detect(small)
        XCTFail("it was taken")
      } catch {
        XCTAssertTrue(error.localizedDescription.hasPrefix("the frame is 1x1, expected "))
      }
    }
  }
#endif
