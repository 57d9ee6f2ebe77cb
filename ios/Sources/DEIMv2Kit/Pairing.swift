// Pairs the detections of two programs by label and place, whatever rows they stand in; the same two
// rounds as in Python (`verification/matching.py`):
//
// 1. Pairs within the limits of the precision, as many as exist (augmenting paths, cheapest neighbour
//    first).
// 2. What is left over, cheapest pair first, if it is recognisably the same thing.

/// A table of numbers, one row per detection of the reference, one column per actual one.
struct Table<Cell> {
  let rows: Int
  let columns: Int
  private var cells: [Cell]

  init(rows: Int, columns: Int, cell: (Int, Int) -> Cell) {
    (self.rows, self.columns) = (rows, columns)
    cells = (0..<rows * columns).map { cell($0 / columns, $0 % columns) }
  }

  subscript(row: Int, column: Int) -> Cell { cells[row * columns + column] }
}

enum Pairing {
  /// Largest distance of an edge, in pixels of a frame of `size` (height, width).
  static func pixels(_ a: Box, _ b: Box, size: (height: Int, width: Int)) -> Double {
    let (height, width) = (Double(size.height), Double(size.width))
    let edges = [
      Double(a.x1) * width - Double(b.x1) * width, Double(a.y1) * height - Double(b.y1) * height,
      Double(a.x2) * width - Double(b.x2) * width, Double(a.y2) * height - Double(b.y2) * height,
    ]
    return edges.contains(where: \.isNaN) ? .nan : edges.map(abs).max() ?? .nan
  }

  /// Intersection over union; 0 where both are empty.
  static func iou(_ a: Box, _ b: Box) -> Double {
    func length(_ low: Float, _ high: Float) -> Double {
      let side = Double(high) - Double(low)
      return side < 0 ? 0 : side  // NaN stays
    }
    func area(_ box: Box) -> Double { length(box.x1, box.x2) * length(box.y1, box.y2) }
    let shared =
      length(larger(a.x1, b.x1), smaller(a.x2, b.x2))
      * length(larger(a.y1, b.y1), smaller(a.y2, b.y2))
    let union = area(a) + area(b) - shared
    return union > 0 ? shared / union : 0
  }

  /// Round 1: row -> column, each used once.
  static func pairWithin(cost: Table<Double>, within: Table<Bool>) -> [Int: Int] {
    let neighbours = (0..<cost.rows).map { row in
      (0..<cost.columns).filter { within[row, $0] }
        .sorted { (cost[row, $0], $0) < (cost[row, $1], $1) }
    }
    var search = Search(neighbours: neighbours)
    for row in 0..<cost.rows {
      var visited = Set<Int>()
      _ = search.place(row, &visited)
    }
    return Dictionary(uniqueKeysWithValues: search.owner.map { ($1, $0) })
  }

  /// Round 2: the pairs left over.
  static func pairRest(
    besides partner: [Int: Int], cost: Table<Double>, same: Table<Bool>
  ) -> [(row: Int, column: Int)] {
    var rows = Set(partner.keys)
    var columns = Set(partner.values)
    var left: [(cost: Double, row: Int, column: Int)] = []
    for row in 0..<cost.rows where !rows.contains(row) {
      for column in 0..<cost.columns where same[row, column] && !columns.contains(column) {
        let price = cost[row, column]
        left.append((price.isNaN ? .infinity : price, row, column))
      }
    }
    var found: [(row: Int, column: Int)] = []
    for (_, row, column) in left.sorted(by: { $0 < $1 })
    where !rows.contains(row) && !columns.contains(column) {
      found.append((row, column))
      rows.insert(row)
      columns.insert(column)
    }
    return found
  }

  private struct Search {
    let neighbours: [[Int]]
    var owner: [Int: Int] = [:]  // column -> row

    mutating func place(_ row: Int, _ visited: inout Set<Int>) -> Bool {
      if let free = neighbours[row].first(where: { owner[$0] == nil }) {
        owner[free] = row
        return true
      }
      for column in neighbours[row] where visited.insert(column).inserted {
        if let holder = owner[column], place(holder, &visited) {  // its owner moves on
          owner[column] = row
          return true
        }
      }
      return false
    }
  }

  private static func larger(_ a: Float, _ b: Float) -> Float { a.isNaN || a > b ? a : b }
  private static func smaller(_ a: Float, _ b: Float) -> Float { a.isNaN || a < b ? a : b }
}
