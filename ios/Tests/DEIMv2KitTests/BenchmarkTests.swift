import XCTest

@testable import DEIMv2Kit

final class BenchmarkTests: XCTestCase {
  struct Latencies: Decodable {
    struct Case: Decodable {
      let milliseconds: [Double]
      let p50, p95: Double
    }
    let cases: [Case]
  }

  func testPercentilesAreThoseOfPython() throws {
    let cases = try (Vectors.read("latencies.json") as Latencies).cases
    XCTAssertGreaterThan(cases.count, 5)
    for row in cases {
      let found = try XCTUnwrap(Latency(row.milliseconds))
      XCTAssertEqual(found.p50, row.p50, accuracy: 1e-9, "\(row.milliseconds)")
      XCTAssertEqual(found.p95, row.p95, accuracy: 1e-9, "\(row.milliseconds)")
    }
    XCTAssertNil(Latency([]))
  }

  /// A clock that moves when it is told to.
  private final class Hand: Clock, @unchecked Sendable {
    struct Instant: InstantProtocol {
      var since: Duration
      func advanced(by duration: Duration) -> Self { Self(since: since + duration) }
      func duration(to other: Self) -> Duration { other.since - since }
      static func < (one: Self, other: Self) -> Bool { one.since < other.since }
    }
    var now = Instant(since: .zero)
    let minimumResolution = Duration.nanoseconds(1)
    func sleep(until deadline: Instant, tolerance: Duration?) async throws {}
  }

  func testFramesAfterTheWarmUpAreTimed() async throws {
    let hand = Hand()
    var (frames, heats) = (0, ["nominal", "fair"])
    let measured = try await Benchmark.measure(
      frame: "2x1", runs: 3, warmUp: 2, clock: hand, heat: { heats.removeFirst() },
      prepare: {
        hand.now = hand.now.advanced(by: .microseconds(500))
        frames += 1
        return frames
      },
      detect: { frame in
        hand.now = hand.now.advanced(by: .milliseconds(frame))
        return []
      })
    let timed = try XCTUnwrap(measured)
    XCTAssertEqual(frames, 5)
    XCTAssertEqual(timed.run, Latency([3, 4, 5]))
    XCTAssertEqual(timed.prepare, Latency([0.5, 0.5, 0.5]))
    let json = String(decoding: try JSONEncoder().encode(timed), as: UTF8.self)
    for part in ["\"heat_before\":\"nominal\"", "\"heat_after\":\"fair\"", "\"warm_up\":2"] {
      XCTAssertTrue(json.contains(part), json)
    }
  }

  func testARowHoldsItsTimes() async throws {
    let manifest = try Manifest(folder: Vectors.folder.appending(path: "folder"))
    let detector = Echo(manifest: manifest) { _ in [] }
    let size = manifest.input
    let frame = try Frame(
      width: size.width, height: size.height,
      bytes: [UInt8](repeating: 0, count: size.width * size.height * 3))
    let golden = Golden(name: "black", frame: frame, reference: [], candidates: [])
    let row = await ParityCheck.run(detector, on: [golden]) { detector in
      try await Benchmark.measure(
        frame: "x", runs: 1, warmUp: 0, prepare: { frame },
        detect: { try await detector.detect($0) })
    }
    XCTAssertEqual(row.benchmark?.runs, 1)
    XCTAssertEqual(row.operations, ["CPU": 1])
    let report = ParityCheck.Report(folder: "a", device: "b", rows: [row])
    XCTAssertTrue(String(decoding: try report.json(), as: UTF8.self).contains("\"run_ms\""))
  }
}
