/// Milliseconds of many runs, as `deimv2 benchmark` gives them: the median, and what 95 of 100 stay
/// below.
public struct Latency: Sendable, Equatable, Encodable {
  public let p50: Double
  public let p95: Double

  /// nil for no times.
  public init?(_ milliseconds: [Double]) {
    if milliseconds.isEmpty { return nil }
    let sorted = milliseconds.sorted()
    p50 = Self.quantile(sorted, 0.5)
    p95 = Self.quantile(sorted, 0.95)
  }

  /// Between two times in proportion, as numpy's.
  private static func quantile(_ sorted: [Double], _ share: Double) -> Double {
    let place = share * Double(sorted.count - 1)
    let below = Int(place)
    let above = min(below + 1, sorted.count - 1)
    return sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below))
  }
}

/// What a camera's frames take here, from the frame to the input, and from there to detections; in the
/// form that Android's app shares too.
public struct Benchmark: Sendable, Equatable, Encodable {
  public let runs: Int
  public let warmUp: Int
  public let frame: String
  /// The device's thermal state before and after.
  public let heatBefore: String?
  public let heatAfter: String?
  public let prepare: Latency
  public let run: Latency

  enum CodingKeys: String, CodingKey {
    case runs, frame
    case warmUp = "warm_up"
    case heatBefore = "heat_before"
    case heatAfter = "heat_after"
    case prepare = "prepare_ms"
    case run = "run_ms"
  }

  /// Prepares and detects `runs` times, after `warmUp` others, by `clock`. nil for no runs. Throws what
  /// `prepare` and `detect` throw.
  static func measure<Input, C: Clock>(
    frame: String, runs: Int, warmUp: Int, clock: C = ContinuousClock(),
    heat: () -> String? = { nil }, prepare: () throws -> Input,
    detect: (Input) async throws -> [Detection]
  ) async throws -> Benchmark? where C.Duration == Duration {
    for _ in 0..<warmUp { _ = try await detect(prepare()) }
    let before = heat()
    var (preparing, running): ([Double], [Double]) = ([], [])
    for _ in 0..<runs {
      let start = clock.now
      let input = try prepare()
      let ready = clock.now
      _ = try await detect(input)
      preparing.append(start.duration(to: ready) / .milliseconds(1))
      running.append(ready.duration(to: clock.now) / .milliseconds(1))
    }
    guard let prepared = Latency(preparing), let ran = Latency(running) else { return nil }
    return Benchmark(
      runs: runs, warmUp: warmUp, frame: frame, heatBefore: before, heatAfter: heat(),
      prepare: prepared, run: ran)
  }
}
