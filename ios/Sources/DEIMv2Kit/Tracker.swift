/// Ids that stay with an object over the frames of one camera or video: ByteTrack, as
/// `api/tracking.py` describes it, on the same vectors.
public struct Tracker: Sendable {
  public static let lowScore: Float = 0.1
  private static let (overlap, newOverlap, lowScoreOverlap) = (0.2, 0.3, 0.5)
  private static let unseen = 30

  private var tracks: [Track] = []
  private var ids = 0
  private var first = true

  public init() {}

  /// The id, from 1, of each detection of the next frame; nil for those of no track.
  ///
  /// `found`: best first, down to scores of 0.1, which keep tracks alive. Only what scores above
  /// `threshold` begins a track, which gets its id in the second frame that it is seen in (in the
  /// first frame of all, at once). Several labels on one box are one object, that of the best.
  public mutating func update(_ found: [Detection], threshold: Float) -> [Int?] {
    for i in tracks.indices { tracks[i].predict() }
    var given = [Int?](repeating: nil, count: found.count)
    let rows = found.indices.filter { found[$0].score > Self.lowScore && !found.isRepeated($0) }
    let high = rows.filter { found[$0].score > threshold }
    let low = rows.filter { found[$0].score <= threshold }
    let known = tracks.indices.filter { tracks[$0].id != nil }
    let new = tracks.indices.filter { tracks[$0].id == nil }
    match(known, high, Self.overlap, found, &given)
    match(known.filter { tracks[$0].unseen == 1 }, low, Self.lowScoreOverlap, found, &given)
    match(new, high.filter { given[$0] == nil }, Self.newOverlap, found, &given)
    tracks.removeAll { $0.unseen > 0 && ($0.id == nil || $0.unseen > Self.unseen) }
    for row in high where given[row] == nil {
      tracks.append(Track(found[row].box))
      if first { given[row] = name(tracks.count - 1) }
    }
    first = false
    return given
  }

  private mutating func match(
    _ candidates: [Int], _ rows: [Int], _ least: Double, _ found: [Detection],
    _ given: inout [Int?]
  ) {
    let overlap = Table(rows: candidates.count, columns: rows.count) {
      Pairing.iou(tracks[candidates[$0]].box, found[rows[$1]].box)
    }
    let cost = Table(rows: candidates.count, columns: rows.count) { -overlap[$0, $1] }
    let same = Table(rows: candidates.count, columns: rows.count) { overlap[$0, $1] > least }
    for (i, j) in Pairing.pairRest(besides: [:], cost: cost, same: same) {
      tracks[candidates[i]].correct(found[rows[j]].box)
      given[rows[j]] = name(candidates[i])
    }
  }

  private mutating func name(_ track: Int) -> Int {
    if let id = tracks[track].id { return id }
    ids += 1
    tracks[track].id = ids
    return ids
  }
}

extension [Detection] {
  /// Whether a row before `index`, and so a better one, has the same box: another label of one object.
  public func isRepeated(_ index: Int) -> Bool {
    self[..<index].contains { $0.box == self[index].box }
  }
}

/// A box on its way. `unseen`: frames since it was matched; `id`: nil until it is seen twice.
private struct Track {
  var id: Int?
  private(set) var unseen = 0
  private var motions: [Motion]  // of centre, width and height

  init(_ box: Box) {
    let values = Self.measured(box)
    motions = values.indices.map { Motion(values[$0], side: Self.side($0, values)) }
  }

  var box: Box {
    let (x, y, w, h) = (values[0], values[1], values[2], values[3])
    return Box(
      x1: Float(x - w / 2), y1: Float(y - h / 2), x2: Float(x + w / 2), y2: Float(y + h / 2))
  }

  private var values: [Double] { motions.map(\.value) }

  mutating func predict() {
    unseen += 1
    if unseen > 1 {  // what is lost moves on, but does not grow
      motions[2].speed = 0
      motions[3].speed = 0
    }
    let before = values
    for i in motions.indices { motions[i].predict(side: Self.side(i, before)) }
  }

  mutating func correct(_ box: Box) {
    unseen = 0
    let (before, seen) = (values, Self.measured(box))
    for i in motions.indices { motions[i].correct(seen[i], side: Self.side(i, before)) }
  }

  private static func measured(_ box: Box) -> [Double] {
    let (x1, y1, x2, y2) = (Double(box.x1), Double(box.y1), Double(box.x2), Double(box.y2))
    return [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]
  }

  /// Width for x and width, height for y and height.
  private static func side(_ index: Int, _ values: [Double]) -> Double {
    max(values[2 + index % 2], 1e-4)
  }
}

/// A coordinate, and its speed in a frame, by a Kalman filter. `a`, `b`, `c`: covariances
/// [[a, b], [b, c]].
private struct Motion {
  private static let (position, pace) = (1.0 / 20, 1.0 / 160)  // deviations, as shares of the side

  private(set) var value: Double
  var speed = 0.0
  private var a, b, c: Double

  init(_ value: Double, side: Double) {
    self.value = value
    a = Self.square(2 * Self.position * side)
    b = 0
    c = Self.square(10 * Self.pace * side)
  }

  mutating func predict(side: Double) {
    value += speed
    a += 2 * b + c + Self.square(Self.position * side)
    b += c
    c += Self.square(Self.pace * side)
  }

  mutating func correct(_ seen: Double, side: Double) {
    let total = a + Self.square(Self.position * side)
    let error = seen - value
    value += a / total * error
    speed += b / total * error
    c -= b * b / total
    b -= a * b / total
    a -= a * a / total
  }

  private static func square(_ value: Double) -> Double { value * value }
}
