import XCTest

@testable import DEIMv2Kit

final class PatienceTests: XCTestCase {
  private let failure = DEIMv2Error.image(reason: "a test")

  func testFailuresPassUntilThereAreTooManyInARow() throws {
    var patience = Patience(most: 3)
    for _ in 0..<5 {
      try patience.spend(on: failure)
      try patience.spend(on: failure)
      patience.renew()
    }
    try patience.spend(on: failure)
    try patience.spend(on: failure)
    XCTAssertThrowsError(try patience.spend(on: failure)) {
      XCTAssertEqual($0.localizedDescription, failure.localizedDescription)
    }
  }

  func testATaskThatIsCancelledEndsAtOnce() {
    var patience = Patience(most: 3)
    XCTAssertThrowsError(try patience.spend(on: CancellationError()))
  }
}
