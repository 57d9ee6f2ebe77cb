import Foundation

/// A golden photograph at input size, what the reference detects on it, and its next candidates. The
/// reference is the float32 model, for int8 and int8-weight PyTorch rounding to int8.
public struct Golden: Sendable {
  public let name: String
  public let frame: Frame
  public let reference: [Detection]
  public let candidates: [Detection]

  public init(name: String, frame: Frame, reference: [Detection], candidates: [Detection]) {
    (self.name, self.frame) = (name, frame)
    (self.reference, self.candidates) = (reference, candidates)
  }

  struct Rows: Decodable {
    let detections: [Detection]
    let candidates: [Detection]
  }

  static func rows(at url: URL) throws(DEIMv2Error) -> Rows {
    do {
      return try JSONDecoder().decode(Rows.self, from: Data(contentsOf: url))
    } catch {
      throw .invalidGolden(path: url.path, reason: error.localizedDescription)
    }
  }
}

/// **Check this phone**: replays the golden photographs and says how far the detections are from the
/// reference's, as `deimv2 verify` does it on the desktop.
public enum ParityCheck {
  /// One artifact's result, as `deimv2 verify --json` prints it, with what this phone adds.
  public struct Row: Sendable, Encodable {
    public let artifact: String
    public let against: String
    public let passed: Bool
    public let problems: [String]
    public let measured: Parity?
    public let limits: Limits?
    /// The processor.
    public let runsOn: String
    /// Of every detection after the first of each photograph, preprocessing not included.
    public let milliseconds: [Double]

    /// Where the phone was timed as well.
    public var benchmark: Benchmark?
    /// How many are planned for which processor, where the runtime tells.
    public var operations: [String: Int]?

    public var median: Double? { Latency(milliseconds)?.p50 }

    enum CodingKeys: String, CodingKey {
      case artifact, against, passed, problems, measured, limits, milliseconds, benchmark
      case operations
      case runsOn = "runs_on"
    }
  }

  public struct Report: Sendable, Encodable {
    public let folder: String
    /// Where it was measured, in words.
    public let device: String
    public let passed: Bool
    public let rows: [Row]

    public init(folder: String, device: String, rows: [Row]) {
      (self.folder, self.device, self.rows) = (folder, device, rows)
      passed = !rows.isEmpty && rows.allSatisfy(\.passed)
    }

    public func json() throws -> Data {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      return try encoder.encode(self)
    }
  }

  /// Times a detector besides.
  public typealias Timing = @Sendable (any Detector) async throws -> Benchmark?

  /// Runs a detector on every golden photograph: once to compare, then `repeats` times for the clock;
  /// then by `timing`. What goes wrong is in `problems`; nothing is thrown.
  public static func run(
    _ detector: any Detector, on goldens: [Golden], repeats: Int = 5, timing: Timing? = nil
  ) async -> Row {
    let manifest = detector.manifest
    let limits = Limits.of(manifest.precision)
    let size = (height: manifest.input.height, width: manifest.input.width)
    let rounded = [.int8, .int8Weight].contains(manifest.precision)
    let model = rounded ? "PyTorch rounding to int8" : "the float32 model"
    let against = "\(model), \(goldens.count) golden photographs"
    do {
      if goldens.isEmpty { throw DEIMv2Error.noGoldens(folder: manifest.folder.path) }
      var parities: [Parity] = []
      for golden in goldens {
        let actual = try await detector.detect(golden.frame)
        parities.append(
          Parity(
            reference: golden.reference, actual: actual, candidates: golden.candidates, size: size,
            limits: limits))
      }
      let parity = Parity(merging: parities)
      let times = try await time(detector, goldens, repeats)
      let problems = parity.failures(limits)
      return Row(
        artifact: detector.artifact, against: against, passed: problems.isEmpty,
        problems: problems, measured: parity, limits: limits, runsOn: detector.processor,
        milliseconds: times, benchmark: try await timing?(detector),
        operations: await detector.operations())
    } catch {
      return failed(detector.artifact, on: detector.processor, against: against, error)
    }
  }

  /// The row of an artifact that cannot even be opened.
  public static func failed(
    _ artifact: String, on processor: String, against: String = "-", _ error: any Error
  ) -> Row {
    Row(
      artifact: artifact, against: against, passed: false, problems: [error.localizedDescription],
      measured: nil, limits: nil, runsOn: processor, milliseconds: [])
  }

  private static func time(
    _ detector: any Detector, _ goldens: [Golden], _ repeats: Int
  ) async throws -> [Double] {
    var times: [Double] = []
    for _ in 0..<repeats {
      for golden in goldens {
        let start = ContinuousClock.now
        _ = try await detector.detect(golden.frame)
        times.append(start.duration(to: .now) / .milliseconds(1))
      }
    }
    return times
  }
}

extension DEIMv2Error {
  /// Of a replay on every processor, none of which passed: the reasons of each.
  public static func nonePasses(_ rows: [ParityCheck.Row]) -> DEIMv2Error {
    let reasons = rows.map { "\($0.runsOn): \($0.problems.joined(separator: "; "))" }
    return .nonePasses(reasons: reasons.joined(separator: "; "))
  }
}
