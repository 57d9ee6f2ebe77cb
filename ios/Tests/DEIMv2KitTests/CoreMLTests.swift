#if canImport(CoreML)
  import CoreML
  import CoreVideo
  import XCTest

  @testable import DEIMv2Kit

  /// Needs macOS and an export: DEIMV2_EXPORT, or `artifacts/atto`, which `./dev demo` makes.
  final class CoreMLTests: XCTestCase {
    private func export() throws -> Manifest {
      let path = ProcessInfo.processInfo.environment["DEIMV2_EXPORT"]
      let folder =
        path.map { URL(filePath: $0) } ?? Vectors.repository.appending(path: "artifacts/atto")
      return try Manifest(folder: folder)
    }

    /// What is said, nil if nothing is wrong.
    private func refusal(_ work: () async throws -> Void) async -> String? {
      do {
        try await work()
        return nil
      } catch {
        return error.localizedDescription
      }
    }

    func testTheModelDetectsWhatPythonDetectsOnTheCPU() async throws {
      let manifest = try export()
      let detector = try await CoreMLDetector(manifest, on: .cpuOnly)
      let row = await ParityCheck.run(detector, on: try Golden.all(of: manifest))
      XCTAssertTrue(row.passed, row.problems.joined(separator: "\n"))
      XCTAssertEqual(row.artifact, try manifest.file(format: "mlpackage").name)
    }

    func testTheFastestProcessorIsOneThatPasses() async throws {
      let manifest = try export()
      let goldens = try Golden.all(of: manifest)
      let (detector, rows) = await CoreMLDetector.fastest(manifest, on: goldens, afresh: true)
      XCTAssertEqual(rows.count, ComputeUnits.candidates(for: manifest.precision).count)
      let fastest = try XCTUnwrap(detector)
      let passed = rows.filter(\.passed)
      XCTAssertTrue(passed.map(\.runsOn).contains(fastest.processor))
      let report = ParityCheck.Report(folder: "export", device: "this Mac", rows: rows)
      print(String(decoding: try report.json(), as: UTF8.self))
      let again = await CoreMLDetector.fastest(manifest, on: goldens)  // as it is remembered
      XCTAssertEqual(again.detector?.units, fastest.units)
      XCTAssertTrue(again.rows.isEmpty)
    }

    func testAPixelBufferIsDetectedInLikeItsBytes() async throws {
      let manifest = try export()
      let detector = try await CoreMLDetector(manifest, on: .cpuOnly)
      let golden = try XCTUnwrap(Golden.all(of: manifest).first)
      let buffer = try makePixelBuffer(width: golden.frame.width, height: golden.frame.height)
      try golden.frame.copy(to: buffer)
      let ofBytes = try await detector.detect(golden.frame)
      let ofBuffer = try await detector.detect(PixelFrame(buffer))
      XCTAssertEqual(ofBuffer, ofBytes)
    }

    func testOperationsAreCountedByProcessor() async throws {
      guard #available(macOS 14.4, *) else { return }
      let detector = try await CoreMLDetector(export(), on: .cpuOnly)
      let operations = await detector.operations()
      XCTAssertEqual(operations.map { Array($0.keys) }, ["CPU"])
    }

    func testAFrameOfAnotherSizeIsRefused() async throws {
      let detector = try await CoreMLDetector(export(), on: .cpuOnly)
      let small = try Frame(width: 1, height: 1, bytes: [0, 0, 0])
      let refusal = await refusal { _ = try await detector.detect(small) }
      XCTAssertEqual(refusal?.hasPrefix("the frame is 1x1, expected "), true)
      let buffer = try makePixelBuffer(width: 2, height: 1)
      let other = await self.refusal { _ = try await detector.detect(PixelFrame(buffer)) }
      XCTAssertEqual(other?.hasPrefix("the frame is 2x1, expected "), true)
    }

    func testWhatIsNoModelIsRefused() async throws {
      let manifest = try Manifest(folder: Vectors.folder.appending(path: "folder"))
      let refusal = await refusal { _ = try await CoreMLDetector(manifest) }
      XCTAssertEqual(refusal?.hasPrefix("tiny.mlpackage does not run here"), true)
    }

    /// tests/vectors/folder/golden: Image.new("RGB", size, (ord(name), 0, 0)).
    func testGoldenPhotographsKeepTheirColours() throws {
      let goldens = try Golden.all(of: Manifest(folder: Vectors.folder.appending(path: "folder")))
      XCTAssertEqual(goldens.map(\.name), ["a", "b", "c"])
      for golden in goldens {
        let red = try XCTUnwrap(golden.name.utf8.first)
        XCTAssertEqual(Array(golden.frame.bytes.prefix(6)), [red, 0, 0, red, 0, 0])
      }
    }

    func testThePathsOfTheSystemKeepAFrameOfInputSize() throws {
      let manifest = try Manifest(folder: Vectors.folder.appending(path: "folder"))
      let (width, height) = (manifest.input.width, manifest.input.height)
      let bytes = (0..<width * height * 3).map { UInt8(truncatingIfNeeded: $0 * 7) }
      let frame = try Frame(width: width, height: height, bytes: bytes)
      let buffer = try makePixelBuffer(width: width, height: height)
      try frame.copy(to: buffer)
      XCTAssertEqual(try Frame(buffer), frame)
      let scaled = try Frame(CameraPreprocessor(manifest).frame(buffer).buffer)
      let worst = zip(scaled.bytes, bytes).map { abs(Int($0) - Int($1)) }.max()
      XCTAssertLessThanOrEqual(try XCTUnwrap(worst), 1)
    }
  }
#endif
