import XCTest

@testable import DEIMv2Kit

final class FrameRateTests: XCTestCase {
  private let start = ContinuousClock.now

  func testFramesOfTheLastSecondCount() {
    var rate = FrameRate()
    XCTAssertEqual(rate.count(start), 0)
    XCTAssertEqual(rate.count(start + .milliseconds(50)), 20, accuracy: 1e-9)
    for i in 1..<20 { _ = rate.count(start + .milliseconds(100 * i + 50)) }
    XCTAssertEqual(rate.count(start + .milliseconds(2050)), 10, accuracy: 1e-9)
  }

  func testAPauseIsNoFrame() {
    var rate = FrameRate()
    for i in 0..<10 { _ = rate.count(start + .milliseconds(50 * i)) }
    XCTAssertEqual(rate.count(start + .seconds(60)), 0)
  }
}
