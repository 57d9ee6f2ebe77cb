import Foundation

/// What an artifact of one precision must reach, and on which detections; as in Python
/// (`converters/precision.py`, which says why the numbers are what they are).
public struct Limits: Sendable, Equatable, Encodable {
  /// Of the counted detections, how many must have a partner, 0..1.
  public let matchedShare: Double
  /// Largest distance of a box edge, in pixels of the network's input.
  public let boxPx: Double
  /// Largest difference of a score.
  public let score: Double
  /// Detections above this score count; nil counts all.
  public let minScore: Float?
  /// Of the matched pairs, how many must be within `boxPx` and `score`: 1, 0.99 or 0.9.
  public var within = 1.0
  /// So many detections must be there to be compared.
  public var least = 0
  /// How many times `boxPx` and `score` the worst pair may be off; nil: any.
  public var worst: Double?

  public static func of(_ precision: Manifest.Precision) -> Limits {
    switch precision {
    case .fp32, .int8Weight:
      Limits(matchedShare: 1, boxPx: 0.05, score: 1e-4, minScore: nil, within: 0.99, worst: 20)
    case .fp16:
      Limits(matchedShare: 0.98, boxPx: 4, score: 0.08, minScore: 0.3, within: 0.9, least: 5)
    case .int8, .int8x16:
      Limits(matchedShare: 0.95, boxPx: 12, score: 0.15, minScore: 0.3, within: 0.9, least: 20)
    }
  }

  func counted(_ detections: [Detection]) -> [Bool] {
    guard let minScore else { return detections.map { _ in true } }
    return detections.map { $0.score > minScore }
  }

  enum CodingKeys: String, CodingKey {
    case score
    case matchedShare = "matched_share"
    case boxPx = "box_px"
    case minScore = "min_score"
    case within, least, worst
  }

  public func encode(to encoder: any Encoder) throws {
    var one = encoder.container(keyedBy: CodingKeys.self)
    try one.encode(matchedShare, forKey: .matchedShare)
    try one.encode(boxPx, forKey: .boxPx)
    try one.encode(score, forKey: .score)
    try one.encode(minScore, forKey: .minScore)  // null, where all count
    try one.encode(within, forKey: .within)
    try one.encode(least, forKey: .least)
    try one.encode(worst, forKey: .worst)
  }
}

/// Of the matched pairs: percentiles, and the largest. Of twenty or more, a percentile leaves out one at
/// least.
public struct Errors: Sendable, Equatable, Encodable {
  public var p50 = 0.0
  public var p90 = 0.0
  public var p99 = 0.0
  public var worst = 0.0
  /// The single ones.
  public var values: [Double] = []

  /// Of the finite ones. What is not finite has a sentence of its own, and no place in JSON.
  public init(_ errors: [Double]) {
    values = errors.filter(\.isFinite).sorted()
    guard let last = values.last else { return }
    p50 = values[(values.count - 1) / 2]
    p90 = values[values.count - 1 - Self.excused(values.count, share: 0.9)]
    p99 = values[values.count - 1 - Self.excused(values.count, share: 0.99)]
    worst = last
  }

  /// How many of `count` need not hold where `share` must: of twenty or more, one at least.
  static func excused(_ count: Int, share: Double) -> Int {
    if share == 1 || count < 20 { return 0 }
    return max(1, Int((Double(count) * (1 - share) + 1e-9).rounded(.down)))
  }

  /// Of this share of the pairs, as `Limits` has it.
  public func largest(within share: Double) -> Double {
    switch share {
    case 1: worst
    case 0.99: p99
    default: p90
    }
  }

  func failure(_ kind: String, _ limit: Double, _ unit: String, _ limits: Limits) -> String? {
    func text(_ value: Double) -> String { short(value) + unit }
    func all(_ allowed: Double) -> String {
      "a \(kind) is \(text(worst)) off, the limit is \(text(allowed))"
    }
    let share = limits.within
    let largest = largest(within: share)
    if largest <= limit {
      guard let times = limits.worst, worst > times * limit else { return nil }
      return all(times * limit)
    }
    if share == 1 { return all(limit) }
    return "a \(kind) is up to \(text(largest)) off in \(Int((share * 100).rounded()))% of "
      + "the pairs (the worst: \(text(worst))), the limit is \(text(limit))"
  }

  enum CodingKeys: String, CodingKey { case p50, p90, p99, worst }
}

/// How far an artifact is from the reference, over one photo or several.
public struct Parity: Sendable, Equatable {
  public var counted = 0
  public var matched = 0
  public var boxPx = Errors([])
  public var score = Errors([])
  /// The label with most unmatched detections, or that of the worst pair if all matched.
  public var worstLabel: Int?
  /// Detections without a partner because a tie at the last place was cut differently; not counted.
  public var atCut = 0
  public var bestFirst = true
  public var finite = true

  public var matchedShare: Double { counted == 0 ? 1 : Double(matched) / Double(counted) }

  /// Measures `actual` against `reference` on one frame of `size`, the network's input.
  ///
  /// `candidates` are the reference's next detections, after its last place: with them, what stands in
  /// place of a tie there is checked too; without, it is excused and counted in `atCut`.
  public init(
    reference: [Detection], actual: [Detection], candidates: [Detection]? = nil,
    size: (height: Int, width: Int), limits: Limits
  ) {
    let pool = reference + (candidates ?? [])
    func table(_ cell: (Int, Int) -> Double) -> Table<Double> {
      Table(rows: pool.count, columns: actual.count, cell: cell)
    }
    let pixels = table { Pairing.pixels(pool[$0].box, actual[$1].box, size: size) }
    let scores = table { abs(Double(pool[$0].score) - Double(actual[$1].score)) }
    let cost = table { pixels[$0, $1] / limits.boxPx + scores[$0, $1] / limits.score }
    let alike = { (row: Int, column: Int) in pool[row].label == actual[column].label }
    let within = Table(rows: pool.count, columns: actual.count) {
      alike($0, $1) && pixels[$0, $1] <= limits.boxPx && scores[$0, $1] <= limits.score
    }
    let partner = Pairing.pairWithin(cost: cost, within: within)

    let noise = Errors(partner.map { scores[$0, $1] }).worst
    var (cutHere, cutThere) = Self.cuts(reference, actual, near: min(limits.score, 2 * noise))
    cutHere += (candidates ?? []).map { _ in false }
    if candidates != nil { cutThere = cutThere.map { _ in false } }
    let same = Table(rows: pool.count, columns: actual.count) { row, column in
      guard alike(row, column) else { return false }
      if pixels[row, column] <= samePx { return true }
      return Pairing.iou(pool[row].box, actual[column].box) >= sameIoU
        && !(cutHere[row] && cutThere[column])
    }
    let rest = Pairing.pairRest(besides: partner, cost: cost, same: same)
    let all = partner.sorted { $0 < $1 }.map { (row: $0.key, column: $0.value) } + rest

    var here = limits.counted(reference) + (candidates ?? []).map { _ in false }
    var there = limits.counted(actual)
    let pairs = all.filter { here[$0.row] || there[$0.column] }
    for pair in all { (here[pair.row], there[pair.column]) = (false, false) }
    let lost = pool.indices.filter { here[$0] && !cutHere[$0] }
    let extra = actual.indices.filter { there[$0] && !cutThere[$0] }

    matched = pairs.count
    counted = matched + max(lost.count, extra.count)
    boxPx = Errors(pairs.map { pixels[$0.row, $0.column] })
    score = Errors(pairs.map { scores[$0.row, $0.column] })
    worstLabel = Self.worstLabel(
      unmatched: lost.map { pool[$0].label } + extra.map { actual[$0].label },
      pairs: pairs.map { (cost[$0.row, $0.column], pool[$0.row].label) })
    atCut =
      pool.indices.count { here[$0] && cutHere[$0] }
      + actual.indices.count { there[$0] && cutThere[$0] }
    bestFirst = zip(actual.dropFirst(), actual).allSatisfy { $0.score - $1.score <= rounding }
    finite = actual.allSatisfy {
      $0.score.isFinite && $0.box.x1.isFinite && $0.box.y1.isFinite && $0.box.x2.isFinite
        && $0.box.y2.isFinite
    }
  }

  /// Over several photos: counts add up, and all errors stay.
  public init(merging parities: [Parity]) {
    let worst = parities.max {
      ($0.counted - $0.matched, $0.boxPx.worst, $0.score.worst)
        < ($1.counted - $1.matched, $1.boxPx.worst, $1.score.worst)
    }
    counted = parities.map(\.counted).reduce(0, +)
    matched = parities.map(\.matched).reduce(0, +)
    boxPx = Errors(parities.flatMap(\.boxPx.values))
    score = Errors(parities.flatMap(\.score.values))
    worstLabel = worst?.worstLabel
    atCut = parities.map(\.atCut).reduce(0, +)
    bestFirst = parities.allSatisfy(\.bestFirst)
    finite = parities.allSatisfy(\.finite)
  }

  /// One sentence, with the number and its limit, for each thing that does not hold.
  public func failures(_ limits: Limits) -> [String] {
    let label = worstLabel.map { " (worst label: \($0))" } ?? ""
    var found: [String] = []
    if !finite { found.append("some boxes or scores are not numbers, all must be finite") }
    if !bestFirst {
      found.append("the detections are not ordered by score, they must be best first")
    }
    if atCut > counted {
      found.append(
        "\(atCut) detections tie with the last one, the limit is as many as could be compared "
          + "(\(counted))")
    }
    if counted < limits.least, let minScore = limits.minScore {
      found.append(
        "only \(counted) detections above \(minScore) to compare, expected \(limits.least) or more; "
          + "take photographs of what the model detects")
    }
    if counted - matched > Errors.excused(counted, share: limits.matchedShare) {
      found.append(
        "\(matched) of \(counted) detections matched (\(short(matchedShare))), "
          + "the limit is \(short(limits.matchedShare))\(label)")
    }
    let beyond = [
      boxPx.failure("box", limits.boxPx, " px", limits),
      score.failure("score", limits.score, "", limits),
    ]
    return found + beyond.compactMap { $0.map { $0 + label } }
  }

  /// Which detections of each side tie, within `near`, with the other side's last place; only lists of
  /// the same length are cut at the same place.
  private static func cuts(
    _ reference: [Detection], _ actual: [Detection], near: Double
  ) -> (here: [Bool], there: [Bool]) {
    guard reference.count == actual.count, !actual.isEmpty else {
      return (reference.map { _ in false }, actual.map { _ in false })
    }
    func tied(_ detections: [Detection], with others: [Detection]) -> [Bool] {
      if others.contains(where: \.score.isNaN) { return detections.map { _ in false } }
      let last = others.map(\.score).min() ?? .nan
      return detections.map { $0.score <= Float(Double(last) + near) }
    }
    return (tied(reference, with: actual), tied(actual, with: reference))
  }

  private static func worstLabel(unmatched: [Int], pairs: [(cost: Double, label: Int)]) -> Int? {
    let counts = Dictionary(unmatched.map { ($0, 1) }, uniquingKeysWith: +)
    if let most = counts.max(by: { ($0.value, -$0.key) < ($1.value, -$1.key) }) { return most.key }
    let finite = pairs.filter(\.cost.isFinite)
    guard let worst = finite.max(by: { ($0.cost, $0.label) < ($1.cost, $1.label) }), worst.cost != 0
    else { return nil }
    return worst.label
  }
}

extension Parity: Encodable {
  enum CodingKeys: String, CodingKey {
    case counted, matched, score, finite
    case matchedShare = "matched_share"
    case boxPx = "box_px"
    case worstLabel = "worst_label"
    case atCut = "at_cut"
    case bestFirst = "best_first"
  }

  public func encode(to encoder: any Encoder) throws {
    var one = encoder.container(keyedBy: CodingKeys.self)
    try one.encode(counted, forKey: .counted)
    try one.encode(matched, forKey: .matched)
    try one.encode(matchedShare, forKey: .matchedShare)
    try one.encode(boxPx, forKey: .boxPx)
    try one.encode(score, forKey: .score)
    try one.encode(worstLabel, forKey: .worstLabel)  // null, where nothing differs
    try one.encode(atCut, forKey: .atCut)
    try one.encode(bestFirst, forKey: .bestFirst)
    try one.encode(finite, forKey: .finite)
  }
}

private let sameIoU = 0.5
private let samePx = 1.0
private let rounding: Float = 1e-6  // a runtime's sigmoid may turn the order of scores this close

private func short(_ number: Double) -> String { String(format: "%.4g", number) }
