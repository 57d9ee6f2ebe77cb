/// Frames a second, over the last second.
public struct FrameRate: Sendable {
  private var times: [ContinuousClock.Instant] = []

  public init() {}

  /// Counts a frame; 0 for the first, and after a pause.
  public mutating func count(_ now: ContinuousClock.Instant = .now) -> Double {
    times.removeAll { $0.duration(to: now) > .seconds(1) }
    times.append(now)
    let span = times[0].duration(to: now)
    return span > .zero ? Double(times.count - 1) * (.seconds(1) / span) : 0
  }
}
