import XCTest

@testable import DEIMv2Kit

/// tests/vectors/parity.json: deimv2.verification.parity.compare(reference, actual, size, limits, candidates).
final class ParityTests: XCTestCase {
  struct Index: Decodable {
    struct Case: Decodable {
      let name: String
      let size: [Int]
      let reference, actual: [Row]
      let candidates: [Row]?
      let verdicts: [String: Verdict]
    }
    struct Verdict: Decodable {
      let numbers: Numbers
      let failures: [String]
    }
    struct Numbers: Decodable {
      let counted, matched, atCut: Int
      let matchedShare: Double
      let boxPx, score: Spread
      let worstLabel: Int?
      let bestFirst, finite: Bool
    }
    struct Spread: Decodable {
      let p50, p90, p99, worst: Double
    }
    struct Row: Decodable {
      let label: Int
      let score: Float?
      let box: [Float?]

      var detection: Detection {
        let edges = box.map { $0 ?? .nan }
        return Detection(
          label: label, score: score ?? .nan,
          box: Box(x1: edges[0], y1: edges[1], x2: edges[2], y2: edges[3]))
      }
    }
    struct LimitRow: Decodable {
      let matchedShare, boxPx, score: Double
      let minScore: Float?
      let within: Double
      let least: Int
      let worst: Double?
    }
    let limits: [String: LimitRow]
    let cases: [Case]
  }

  func testVerdictsArePythons() throws {
    let cases = try (Vectors.read("parity.json") as Index).cases
    XCTAssertGreaterThan(cases.count, 20)
    for row in cases {
      for (name, verdict) in row.verdicts {
        let place = "\(row.name), \(name)"
        let limits = Limits.of(try XCTUnwrap(Manifest.Precision(rawValue: name)))
        let parity = Parity(
          reference: row.reference.map(\.detection), actual: row.actual.map(\.detection),
          candidates: row.candidates?.map(\.detection), size: (row.size[0], row.size[1]),
          limits: limits)
        let numbers = verdict.numbers
        XCTAssertEqual(parity.failures(limits), verdict.failures, place)
        XCTAssertEqual(parity.counted, numbers.counted, place)
        XCTAssertEqual(parity.matched, numbers.matched, place)
        XCTAssertEqual(parity.matchedShare, numbers.matchedShare, accuracy: 1e-12, place)
        for (ours, theirs, accuracy) in [
          (parity.boxPx, numbers.boxPx, 1e-9), (parity.score, numbers.score, 1e-12),
        ] {
          XCTAssertEqual(ours.p50, theirs.p50, accuracy: accuracy, place)
          XCTAssertEqual(ours.p90, theirs.p90, accuracy: accuracy, place)
          XCTAssertEqual(ours.p99, theirs.p99, accuracy: accuracy, place)
          XCTAssertEqual(ours.worst, theirs.worst, accuracy: accuracy, place)
        }
        XCTAssertEqual(parity.worstLabel, numbers.worstLabel, place)
        XCTAssertEqual(parity.atCut, numbers.atCut, place)
        XCTAssertEqual(parity.bestFirst, numbers.bestFirst, place)
        XCTAssertEqual(parity.finite, numbers.finite, place)
      }
    }
  }

  func testLimitsArePythons() throws {
    for (name, row) in try (Vectors.read("parity.json") as Index).limits {
      let limits = Limits.of(try XCTUnwrap(Manifest.Precision(rawValue: name)))
      let theirs = Limits(
        matchedShare: row.matchedShare, boxPx: row.boxPx, score: row.score,
        minScore: row.minScore, within: row.within, least: row.least,
        worst: row.worst)
      XCTAssertEqual(limits, theirs)
    }
  }

  func testAReplayPassesForTheReferenceAndFailsForAnotherModel() async throws {
    let manifest = try Manifest(folder: Vectors.folder.appending(path: "folder"))
    let goldens = try goldens(of: manifest)
    let reference = goldens[0].reference
    let good = await ParityCheck.run(
      Echo(manifest: manifest) { _ in reference }, on: goldens, repeats: 1)
    XCTAssertTrue(good.passed, "\(good.problems)")
    XCTAssertEqual(good.measured?.counted, 3 * reference.count)
    XCTAssertEqual(good.milliseconds.count, 3)

    let bad = await ParityCheck.run(
      Echo(manifest: manifest) { _ in
        reference.map { Detection(label: $0.label + 1, score: $0.score, box: $0.box) }
      }, on: goldens, repeats: 1)
    XCTAssertFalse(bad.passed)
    XCTAssertEqual(bad.problems.count, 1)
  }

  func testWhereNoProcessorPassesEachSaysWhy() async throws {
    let manifest = try Manifest(folder: Vectors.folder.appending(path: "folder"))
    let goldens = try goldens(of: manifest)
    let bad = await ParityCheck.run(Echo(manifest: manifest) { _ in [] }, on: goldens)
    let rows = [bad, ParityCheck.failed("tiny.mlpackage", on: "CPU", DEIMv2Error.labelsDiffer)]
    let first = "\(bad.runsOn): \(bad.problems.joined(separator: "; "))"
    XCTAssertFalse(bad.problems.isEmpty)
    XCTAssertEqual(
      DEIMv2Error.nonePasses(rows).localizedDescription,
      "no processor detects here what PyTorch detects (\(first); CPU: the labels inside are not "
        + "those of the manifest; export again); choose a processor yourself, or copy the folder or "
        + "export again")
  }

  func testNothingToCompareOnIsNoPass() async throws {
    let manifest = try Manifest(folder: Vectors.folder.appending(path: "folder"))
    let row = await ParityCheck.run(Echo(manifest: manifest) { _ in [] }, on: [])
    XCTAssertFalse(row.passed)
    XCTAssertEqual(row.problems.first?.hasPrefix("0 golden photographs of "), true)
    XCTAssertFalse(ParityCheck.Report(folder: "", device: "", rows: []).passed)
  }

  func testAFrameOfAnotherSizeIsAProblemNotACrash() async throws {
    let manifest = try Manifest(folder: Vectors.folder.appending(path: "folder"))
    let small = try Frame(width: 1, height: 1, bytes: [0, 0, 0])
    let row = await ParityCheck.run(
      Echo(manifest: manifest) { _ in [] },
      on: [Golden(name: "small", frame: small, reference: [], candidates: [])])
    XCTAssertEqual(row.problems, ["the frame is 1x1, expected 64x32; use Preprocessor"])
  }

  /// The keys of `deimv2 verify --json`, and those that a phone adds.
  func testTheReportHasTheFormOfVerify() async throws {
    let manifest = try Manifest(folder: Vectors.folder.appending(path: "folder"))
    let goldens = try goldens(of: manifest)
    let reference = goldens[0].reference
    let row = await ParityCheck.run(Echo(manifest: manifest) { _ in reference }, on: goldens)
    let report = ParityCheck.Report(folder: "folder", device: "here", rows: [row])
    let json = try JSONDecoder().decode(JSON.self, from: report.json())
    guard case .object(let top) = json, case .array(let rows)? = top["rows"],
      case .object(let first)? = rows.first, case .object(let measured)? = first["measured"],
      case .object(let limits)? = first["limits"]
    else { return XCTFail("\(json)") }
    XCTAssertEqual(Set(top.keys), ["folder", "device", "passed", "rows"])
    XCTAssertEqual(
      Set(first.keys),
      [
        "artifact", "against", "passed", "problems", "measured", "limits", "runs_on", "operations",
        "milliseconds",
      ])
    let index = try JSONDecoder().decode(
      JSON.self, from: Data(contentsOf: Vectors.folder.appending(path: "parity.json")))
    guard case .object(let theirLimits)? = index["limits"]?["fp32"],
      case .array(let cases)? = index["cases"],
      case .object(let theirNumbers)? = cases.first?["verdicts"]?["fp32"]?["numbers"]
    else { return XCTFail("parity.json has another form") }
    XCTAssertEqual(Set(measured.keys), Set(theirNumbers.keys))
    XCTAssertEqual(Set(limits.keys), Set(theirLimits.keys))
    XCTAssertEqual(limits["min_score"], .null)
  }

  private func goldens(of manifest: Manifest) throws -> [Golden] {
    let pixels = [UInt8](repeating: 0, count: manifest.input.width * manifest.input.height * 3)
    return try manifest.golden.map { entry in
      let rows = try Golden.rows(at: manifest.folder.appending(path: entry.detections))
      return Golden(
        name: entry.image,
        frame: try Frame(
          width: manifest.input.width, height: manifest.input.height, bytes: pixels),
        reference: rows.detections, candidates: rows.candidates)
    }
  }
}
