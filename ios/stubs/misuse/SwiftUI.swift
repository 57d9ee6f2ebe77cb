// expect: type 'Wrong' does not conform to protocol 'View'
import SwiftUI

struct Wrong: View {
  var body: Int { 1 }
}
